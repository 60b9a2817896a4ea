/** A catalogue as rows of its tables, in a fixed order of columns and rows, so that two of them can be compared. */
import type { Catalogue, Procedure, Sector } from './files.ts'

export interface GroupRow {
  group_code: string
  number: number | null
  title_vi: string
  title_en: string
  decision: string
  certain: boolean
  procedure_code: string
}
export interface CatalogueTables {
  sectors: Sector[]
  procedures: Procedure[]
  procedure_groups: GroupRow[]
}

/** A title without a known procedure keeps a row, so that what is missing shows. */
export const tablesOf = ({ sectors, procedures, titles }: Catalogue): CatalogueTables => ({
  sectors: sectors.map(({ file, line, ...row }) => row),
  procedures: procedures.map(({ file, line, ...row }) => row),
  procedure_groups: titles.flatMap(({ group_code, number, name_vi, name_en, decision, certain, procedure_codes }) =>
    (procedure_codes.length === 0 ? [''] : procedure_codes).map(procedure_code => ({
      group_code,
      number,
      title_vi: name_vi,
      title_en: name_en,
      decision,
      certain,
      procedure_code,
    })),
  ),
})

/** What makes a row of a table the same row in another catalogue. */
export const KEYS: { [Table in keyof CatalogueTables]: (keyof CatalogueTables[Table][number])[] } = {
  sectors: ['sector_code'],
  procedures: ['procedure_code', 'valid_from'],
  procedure_groups: ['group_code', 'decision', 'title_vi', 'procedure_code'],
}
