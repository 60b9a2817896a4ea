// The fetch itself, with a `mvn` and a `java` of our own: what is left after an interruption, and when two fetch at once.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { haveKafkaJars, type JarOptions, kafkaJars } from './jars.ts'

let folder: string
let options: JarOptions & { cacheDir: string }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'motcua-jars-'))
  await mkdir(join(folder, 'bin'))
  await program(
    'mvn',
    `[ "$1" = -version ] && { echo "Apache Maven 3.9.9"; exit 0; }
echo fetch >> ${folder}/fetches
[ -f ${folder}/away ] && { echo "Could not transfer artifact"; exit 1; }
for a in "$@"; do case $a in -DoutputDirectory=*) out=\${a#*=};; esac; done
sleep 0.3; touch "$out/b.jar" "$out/a.jar"`,
  )
  await program(
    'java',
    `for last; do :; done; dir=$(sed -n 's/^log.dirs=//p' "$last"); mkdir -p "$dir"; echo snapshot > "$dir/bootstrap.checkpoint"`,
  )
  options = {
    java: { command: join(folder, 'bin', 'java'), major: 17 },
    env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` },
    log: () => {},
    cacheDir: join(folder, 'cache'),
  }
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`)
  await chmod(join(folder, 'bin', name), 0o755)
}

const fetches = async () => (await readFile(join(folder, 'fetches'), 'utf8').catch(() => '')).split('\n').length - 1

test('two at once fetch once, and find everything', async () => {
  const [one, two] = await Promise.all([kafkaJars(options), kafkaJars(options)])
  expect(one).toEqual(two)
  expect(one.classPath).toMatch(/kafka-\w{12}\/a\.jar:.*kafka-\w{12}\/b\.jar$/)
  expect(await readFile(one.bootstrapSnapshot, 'utf8')).toBe('snapshot\n')
  expect(await fetches()).toBe(1)
  expect((await readdir(options.cacheDir)).filter(name => /part|lock/.test(name))).toEqual([])
})

test('a failed fetch says what Maven said, leaves nothing behind, and is tried again', async () => {
  await writeFile(join(folder, 'away'), '')
  await expect(kafkaJars(options)).rejects.toMatchObject({
    code: 'fetch_failed',
    message: expect.stringContaining('Could not transfer artifact'),
  })
  expect(await haveKafkaJars(options.cacheDir)).toBe(false)
  expect(await readdir(options.cacheDir)).toEqual([])
  await rm(join(folder, 'away'))
  await kafkaJars(options)
  expect(await haveKafkaJars(options.cacheDir)).toBe(true)
})

test('without Maven it says so', async () => {
  await rm(join(folder, 'bin', 'mvn'))
  await expect(kafkaJars({ ...options, env: { PATH: join(folder, 'bin') } })).rejects.toMatchObject({
    code: 'no_maven',
  })
})
