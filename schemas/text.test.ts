// Promise: texts that look the same are the same; what is refused is named by character and position.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { faultOf } from './text.ts'

const ID = 'W-240210-0001'

test.each([
  ['a trailing space', `${ID} `, 'U+0020 at position 14'],
  ['a leading space', ` ${ID}`, 'U+0020 at position 1'],
  ['a no-break space', `${ID}\u00a0`, 'U+00A0 at position 14'],
  ['an ideographic space', `${ID}\u3000`, 'U+3000 at position 14'],
  ['a zero-width space', `W-\u200b240210-0001`, 'U+200B at position 3'],
  ['a byte order mark', `\ufeff${ID}`, 'U+FEFF at position 1'],
  ['a newline', `${ID}\n`, 'U+000A at position 14'],
  ['a NUL', `${ID}\0`, 'U+0000 at position 14'],
  ['a bidi mark', `\u200f${ID}`, 'U+200F at position 1'],
  ['a soft hyphen', 'W\u00ad-240210-0001', 'U+00AD at position 2'],
  ['a line separator', 'a\u2028b', 'U+2028 at position 2'],
  ['a next-line', 'a\u0085b', 'U+0085 at position 2'],
  ['a tag beyond the basic plane', '\u{1d4b3}\u{e0041}', 'U+E0041 at position 2'],
  ['a Hangul filler', 'a\u3164b', 'U+3164 at position 2'],
  ['a variation selector', 'a\ufe0f', 'U+FE0F at position 2'],
  ['a letter beyond the basic plane that has a composed form', 'X\u{11099}\u{110ba}', 'U+11099 at position 2'],
  ['a letter that must be taken apart', 'a\u{1d15e}', 'U+1D15E at position 2'],
  ['NFD', 'So\u031b\u0309', 'U+006F at position 2'],
  ['a singleton', 'a\u212b', 'U+212B at position 2'],
  ['half a pair', 'a\ud800b', 'U+D800 at position 2'],
])('%s', (_, text, named) => {
  expect(faultOf(text)).toContain(named)
  expect(faultOf(text)).toMatch(/leave it out|must be normalised|send whole characters/)
})

test.each([ID, 'Sở Tư pháp', 'a b', '𝒳', '\ufffd', 'x', 'H44‐12', 'é'])('fine: %s', text => {
  expect(faultOf(text)).toBeUndefined()
})

test('what is fine stays the same when it is trimmed, normalised, or its unseen characters are taken out', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), text => {
      const tidy = text.isWellFormed()
        ? text
            .normalize('NFC')
            .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu, '')
            .trim()
        : ''
      expect(faultOf(text) === undefined).toBe(tidy === text)
    }),
    { numRuns: 5_000 },
  )
})
