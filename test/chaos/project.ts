/**
 * Copies of the sources that ingest processes run from: one as it is, so that an edit in the checkout does not reach into a run,
 * and one per negative control, with exact replacements that fail loudly where the text is no longer there.
 */
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

export interface Replacement {
  file: string
  /** Stands there exactly once. */
  from: string
  to: string
}

/** Resolves to the folder. A control is made from the copy that the run began with, whatever was edited since. */
export async function copyProject(
  folder: string,
  replacements: readonly Replacement[] = [],
  from = PROJECT,
): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const part of ['schemas', 'common', 'pipelines', 'services', 'package.json'])
    await cp(join(from, part), join(folder, part), { recursive: true })
  await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'))
  for (const { file, from, to } of replacements) {
    const path = join(folder, file)
    await writeFile(path, replaceOnce(await readFile(path, 'utf8'), from, to, file))
  }
  return folder
}

/** Throws where the text does not stand there exactly once: a control that changes nothing would prove nothing. */
export function replaceOnce(text: string, from: string, to: string, where: string): string {
  const pieces = text.split(from)
  if (pieces.length !== 2)
    throw new Error(`${where} has ${pieces.length - 1} times, not once: ${from}. Adapt test/chaos/controls.ts to it`)
  return pieces.join(to)
}
