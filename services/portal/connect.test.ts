import { describe, expect, it } from 'vitest'
import { addressOf, fieldsOf, QUESTION, TOOL_NAMES, toolsOf } from './connect.ts'
import { WORDS } from './words.ts'

const words = WORDS.en.connect
const at = (CLICKHOUSE_URL: string, CLICKHOUSE_PASSWORD?: string) => addressOf({ CLICKHOUSE_URL, CLICKHOUSE_PASSWORD })
const textsOf = (...address: Parameters<typeof at>) =>
  Object.fromEntries(toolsOf(at(...address), words).map(({ id, texts }) => [id, texts.map(({ text }) => text)]))

describe('the address', () => {
  it('is taken apart, with the port that the scheme implies', () => {
    expect(at('http://127.0.0.1:8123')).toEqual({
      url: 'http://127.0.0.1:8123/',
      hostAndPort: '127.0.0.1:8123',
      host: '127.0.0.1',
      port: '8123',
      secure: false,
      password: false,
      local: true,
    })
    expect(at('https://figures.example')).toMatchObject({ port: '443', secure: true, local: false })
    expect(at('http://figures.example/ch')).toMatchObject({ url: 'http://figures.example:80/ch/' })
    expect(at('http://[::1]:8123')).toMatchObject({ host: '::1', hostAndPort: '[::1]:8123', local: true })
  })

  it('never passes on how the portal itself signs in', () => {
    const everything = JSON.stringify([
      at('http://owner:hunter2@ch:8123/?password=hunter2', 'hunter2'),
      toolsOf(at('http://owner:hunter2@ch:8123/?password=hunter2', 'hunter2'), words),
    ])
    expect(everything).not.toMatch(/hunter2|owner/)
    expect(at('http://owner:hunter2@ch:8123').password).toBe(true)
  })
})

describe('the settings', () => {
  it('are there for every tool, with a question of docs/sql', () => {
    const tools = toolsOf(at('http://127.0.0.1:8123'), words)
    expect(tools.map(({ id }) => id)).toEqual(Object.keys(TOOL_NAMES))
    const plain = (text: string) => decodeURIComponent(text).replace(/\s+/g, ' ')
    for (const { id, texts } of tools)
      expect(
        texts.some(({ text }) => plain(text).includes(plain(QUESTION))),
        id,
      ).toBe(true)
  })

  it('say SSL, user and password as the server wants them', () => {
    const fields = (...address: Parameters<typeof at>) =>
      fieldsOf(at(...address), words).map(field => ('value' in field ? field.value : field.said))
    expect(fields('http://127.0.0.1:8123')).toEqual([
      ...['127.0.0.1', '8123', 'off', 'motcua', 'analyst', 'leave empty'],
    ])
    expect(fields('https://ch:8443', 'x')).toEqual(['ch', '8443', 'on', 'motcua', 'analyst', 'your password'])
  })

  it('switch to SSL in addresses and programs', () => {
    const { dbeaver, superset, python } = textsOf('https://ch:8443')
    expect(dbeaver?.[0]).toBe('jdbc:clickhouse://ch:8443/motcua?ssl=true')
    expect(superset?.[0]).toBe('clickhousedb://analyst@ch:8443/motcua?secure=true')
    expect(python?.[0]).toContain('port=8443, secure=True')
  })

  it('leave the user out of the address where a password is asked, and curl to ask for it', () => {
    const open = textsOf('http://ch:8123')
    const closed = textsOf('http://ch:8123', 'x')
    expect(open.excel?.[0]).toMatch('http://ch:8123/?user=analyst&database=motcua&query=SELECT%20')
    expect(closed.excel?.[0]).toMatch('http://ch:8123/?database=motcua&query=SELECT%20')
    expect(open.curl?.[0]).toMatch('curl -sS -u analyst: "')
    expect(closed.curl?.[0]).toMatch('curl -sS -u analyst "')
    expect(closed.java?.[0]).toContain('"analyst", "your password"')
  })
})
