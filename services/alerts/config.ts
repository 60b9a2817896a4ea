/** Configuration of the alerts service. */
import cron from 'node-cron'
import { z } from 'zod'
import { commonShape, port } from '../../common/config.ts'
import { parseLeaveOut } from '../../pipelines/audit/leave-out.ts'

const schedule = (otherwise: string) =>
  z
    .string()
    .refine(text => cron.validate(text), { error: `a cron expression, with or without seconds, such as ${otherwise}` })
    .default(otherwise)

export const alertsConfig = z.object({
  ...commonShape,
  ALERTS_PORT: port(8083),
  /** When the rules are evaluated: a cron expression with seconds. */
  ALERTS_CRON: schedule('*/10 * * * * *'),
  /** When the audit looks at what changed since the last one that found nothing, and when at everything. */
  AUDIT_CRON: schedule('17 * * * *'),
  AUDIT_WHOLE_CRON: schedule('43 2 * * *'),
  /** Offsets of the topic that audits do not read, such as 3:17,4:100-200. */
  AUDIT_LEAVE_OUT: z
    .string()
    .optional()
    .transform((text, context) => {
      try {
        return text ? parseLeaveOut(text) : undefined
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message })
        return z.NEVER
      }
    }),
})
export type AlertsConfig = z.output<typeof alertsConfig>
