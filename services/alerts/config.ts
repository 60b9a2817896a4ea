/** Configuration of the alerts service. */
import { z } from 'zod'
import { commonShape, port } from '../common/config.ts'

export const alertsConfig = z.object({
  ...commonShape,
  ALERTS_PORT: port(8083),
  /** When the rules are evaluated: a cron expression with seconds. */
  ALERTS_CRON: z.string().default('*/10 * * * * *'),
})
export type AlertsConfig = z.output<typeof alertsConfig>
