/** A text as it stands in SQL. Escapes are bytes: beyond ASCII a character is written as it is. */
export const quoted = (text: string): string =>
  `'${text.replace(/[\\']/g, '\\$&').replace(/\p{Cc}/gu, char => (char < '\x80' ? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}` : char))}'`
