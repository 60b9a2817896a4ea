/** Exact under every fault: the whole matrix and every negative control. */
import { CONTROLS } from '../chaos/controls.ts'
import { FAULTS } from '../chaos/faults.ts'
import { allCells } from '../chaos/matrix.ts'
import { faultTests } from '../chaos/suite.ts'

faultTests(allCells(FAULTS), CONTROLS)
