/**
 * A request as multipart/form-data: each field is what an URL parameter would be (clients send long parameters so), each
 * file is an external table, a temporary table for this one query. How a table is read stands in fields of its name:
 * `t_structure` or `t_types`, and `t_format`, TabSeparated without one.
 */
import type { Readable } from 'node:stream'
import { refuse } from './errors.ts'

const FORM_BYTES_MAX = 16 * 1024 * 1024

export type Form = { fields: Array<[string, string]>; files: FormFile[] }
export type FormFile = { name: string; data: Buffer }
export type ExternalTable = { name: string; structure: string; format: string; data: Buffer }

/** Undefined for a body that is no form; then nothing of it was read. */
export async function readForm(type: string | undefined, body: Readable): Promise<Form | undefined> {
  if (!type?.toLowerCase().startsWith('multipart/form-data')) return undefined
  const parts: Buffer[] = []
  let size = 0
  for await (const part of body) {
    size += part.length
    if (size > FORM_BYTES_MAX)
      throw refuse('QUERY_IS_TOO_LARGE', `Form is too large: more than ${FORM_BYTES_MAX} bytes`)
    parts.push(part)
  }
  const data = await new Response(Buffer.concat(parts), { headers: { 'content-type': type } })
    .formData()
    .catch(cause => {
      throw refuse('BAD_ARGUMENTS', `Cannot read the multipart form: ${cause}`)
    })
  const form: Form = { fields: [], files: [] }
  for (const [name, value] of data) {
    if (typeof value === 'string') form.fields.push([name, value])
    else form.files.push({ name, data: Buffer.from(await value.arrayBuffer()) })
  }
  return form
}

export function externalTable({ name, data }: FormFile, fields: URLSearchParams): ExternalTable {
  const types = fields.get(`${name}_types`)?.split(',')
  const structure = fields.get(`${name}_structure`) ?? types?.map((type, at) => `_${at + 1} ${type}`).join(', ')
  if (structure === undefined) {
    throw refuse('BAD_ARGUMENTS', `Neither structure nor types have not been provided for external table ${name}`)
  }
  return { name, structure, format: fields.get(`${name}_format`) ?? 'TabSeparated', data }
}

/** The fields that are no settings. */
export function fieldsOfExternal({ name }: ExternalTable): string[] {
  return [`${name}_structure`, `${name}_types`, `${name}_format`]
}
