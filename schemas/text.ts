/**
 * What a text may be that stands for something: an id, a code, the name of a source. Two texts that look the same to people
 * have to be the same, so it is in Unicode's form NFC, without white space at its ends, and without characters that nobody
 * sees. Case and kinds of hyphen are left as they are.
 * https://www.unicode.org/reports/tr15/ (NFC), https://www.unicode.org/reports/tr44/#General_Category_Values (Cc, Cf, Zl, Zp),
 * https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point (fillers, variation selectors)
 */

/** Nearly all texts. */
const PLAIN = /^[!-~](?:[ -~]*[!-~])?$/
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
const SPACE_AT_ENDS = /^\p{White_Space}|\p{White_Space}$/u
const HALF_A_PAIR = /\p{Surrogate}/u

/**
 * What is wrong with a text, as the end of a sentence that begins with its field, and what to do; undefined where it is fine.
 * Takes time as the text is long: ask for its length first.
 */
export function faultOf(text: string): string | undefined {
  if (PLAIN.test(text)) return undefined
  const half = HALF_A_PAIR.exec(text)
  if (half !== null)
    return `has ${at(text, half.index)}, half a surrogate pair, which is no character; send whole characters`
  const unseen = UNSEEN.exec(text)
  if (unseen !== null)
    return `has ${at(text, unseen.index)}; control, format, line-separator and ignorable characters are not allowed, leave it out`
  const space = SPACE_AT_ENDS.exec(text)
  if (space !== null) return `has ${at(text, space.index)}; white space at the ends is not allowed, leave it out`
  const composed = text.normalize('NFC')
  if (composed === text) return undefined
  let same = 0
  while (text[same] === composed[same]) same++
  // Not in the middle of a pair.
  if (/^[\uDC00-\uDFFF]/.test(text.slice(same, same + 1))) same--
  return `is not in Unicode's form NFC: ${at(text, same)}; it must be normalised to NFC`
}

/** The character at an index, and its position: counted from 1, in characters. */
function at(text: string, index: number): string {
  const code = (text.codePointAt(index) as number).toString(16).toUpperCase().padStart(4, '0')
  return `U+${code} at position ${[...text.slice(0, index)].length + 1}`
}
