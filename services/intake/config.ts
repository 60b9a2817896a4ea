/** Configuration of the intake service. */
import { z } from 'zod'
import { commonShape, integer, port } from '../../common/config.ts'

export const intakeConfig = z.object({
  ...commonShape,
  INTAKE_PORT: port(8081),
  /** A request's body at most, in bytes. */
  INTAKE_BODY_BYTES_MAX: integer({ min: 1_024, max: 104_857_600, otherwise: 8_388_608 }),
  /** Key of a local run; it is taken from this machine only. */
  MOTCUA_DEMO_KEY: z.string().min(1).default('demo'),
})
export type IntakeConfig = z.output<typeof intakeConfig>
