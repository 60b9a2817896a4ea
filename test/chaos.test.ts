/** Exact under every fault, the short form of `npm run chaos`: a cell of most faults and two negative controls. */
import { CONTROLS } from './chaos/controls.ts'
import { cellsNamed, faultTests } from './chaos/suite.ts'

faultTests(
  cellsNamed([
    'kill-ingest/before-commit',
    'kill-clickhouse/mid-batch',
    'zombie/mid-batch',
    'reset/before-commit',
    'poison/random',
    'crc32/start',
    'partition-count/mid-batch',
    'rebuild/mid-batch',
  ]),
  CONTROLS.filter(({ name }) => name === 'no-reversal' || name === 'commit-first'),
)
