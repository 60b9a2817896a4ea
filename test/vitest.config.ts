import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('..', import.meta.url))

/** These start and kill processes of their own, and mostly wait for them: two at a time, beside the others. */
const OWN_PROCESSES = 'chaos runtime-kafka clickhouse-local poison registry-answers parking partition-count topic-again'
  .split(' ')
  .map(name => `test/${name}.test.ts`)

/** These need a ClickHouse and a database of their own, and nothing else. */
const FIGURES =
  'adoption as-known calendar data-quality days exactness fence indicators migrate passed-on periods perturbation schema stocks'
    .split(' ')
    .map(name => `test/${name}.test.ts`)

const oneByOne = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 180_000 }
/** One broker and one engine for all: files run one after the other, so that each sees its own figures move. */
const onRealParts = { globalSetup: ['test/global-setup.ts'], ...oneByOne }

/** Unit tests stand beside the code and need nothing; `test/` runs on the real broker and the real engine (`real`), on a
 * ClickHouse alone (`figures`), or on processes of its own (`own`); `test/long/` only when asked (--long). */
export default defineConfig({
  root,
  test: {
    reporters: ['default', './test/closing-line.ts'],
    projects: [
      {
        root,
        test: {
          name: 'unit',
          include: [
            'schemas/**/*.test.ts',
            'common/**/*.test.ts',
            'services/**/*.test.ts',
            'pipelines/**/*.test.ts',
            'infra/**/*.test.ts',
            'test/oracle/*.test.ts',
          ],
          testTimeout: 20_000,
        },
      },
      {
        root,
        test: { name: 'real', include: ['test/*.test.ts'], exclude: [...OWN_PROCESSES, ...FIGURES], ...onRealParts },
      },
      {
        root,
        test: { name: 'figures', include: FIGURES, globalSetup: ['test/clickhouse-setup.ts'], ...oneByOne },
      },
      {
        root,
        test: { name: 'own', include: OWN_PROCESSES, ...oneByOne, fileParallelism: true, maxWorkers: 2 },
      },
      {
        root,
        test: {
          name: 'long',
          include: ['test/long/*.test.ts'],
          globalSetup: ['test/clickhouse-setup.ts'],
          ...oneByOne,
        },
      },
    ],
  },
})
