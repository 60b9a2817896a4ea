import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { REASONS } from '../../schemas/dossier-event/door.ts'
import { EVENT_TYPES } from '../../schemas/dossier-event/event.ts'
import { WORDS, wordOf } from './words.ts'

/** Every text with its path; a function is called with marks in place of its values. */
function texts(words: object, path = ''): [string, string][] {
  return Object.entries(words).flatMap(([key, value]): [string, string][] => {
    if (typeof value === 'string') return [[`${path}${key}`, value]]
    if (typeof value === 'function') return [[`${path}${key}`, value('<1>', '<2>')]]
    return texts(value as object, `${path}${key}.`)
  })
}

describe('the dictionary', () => {
  const [vi, en] = [texts(WORDS.vi), texts(WORDS.en)]

  it('has the same texts in both languages, none of them empty', () => {
    expect(en.map(([path]) => path)).toEqual(vi.map(([path]) => path))
    for (const [path, text] of [...vi, ...en]) expect(text.trim(), path).not.toBe('')
  })

  it('passes every value on in both languages', () => {
    const values = (list: [string, string][]) => list.map(([path, text]) => [path, text.match(/<\d>/g)?.sort() ?? []])
    expect(values(en)).toEqual(values(vi))
  })

  it('is translated, not copied', () => {
    const same = vi.filter(([path, text]) => text === new Map(en).get(path)).map(([path]) => path)
    expect(same).toEqual([])
  })

  it('holds no text that no page uses', () => {
    const sources = ['.', './pages'].flatMap(folder =>
      readdirSync(new URL(`${folder}/`, import.meta.url))
        .filter(name => name.endsWith('.ts') && !name.startsWith('words') && !name.includes('.test.'))
        .map(name => readFileSync(new URL(`${folder}/${name}`, import.meta.url), 'utf8')),
    )
    const unused = Object.keys(WORDS.vi).filter(key => !sources.some(source => source.includes(`.${key}`)))
    expect(unused).toEqual([])
  })

  it('knows every reason and every event type there is, and shows the code of one it does not know', () => {
    expect(Object.keys(WORDS.vi.reasons).sort()).toEqual([...REASONS].sort())
    expect(Object.keys(WORDS.vi.types).sort()).toEqual([...EVENT_TYPES].sort())
    expect(wordOf(WORDS.vi.types, 'REOPENED')).toBe('REOPENED')
    expect(wordOf(WORDS.vi.types, 'constructor')).toBe('constructor')
  })
})
