/**
 * How other tools reach the figures: the address of ClickHouse taken apart, and the settings of each tool. Pure.
 *
 * Promises: no password and no sign-in of the service is ever part of it; the question asked is one of docs/sql.
 */

import { type ClickHouseConfig, DATABASE } from '../../common/clickhouse.ts'
import { readExamples } from '../../docs/sql/examples.ts'

/** The user whom every reader signs in as. */
const USER = 'analyst'

export interface ClickHouseAddress {
  /** Without sign-in or parameters, with a slash at its end. */
  url: string
  /** With the port, and brackets around IPv6: as it stands in an address. */
  hostAndPort: string
  host: string
  port: string
  secure: boolean
  /** Whether a reader needs a password. */
  password: boolean
  /** Whether it is an address of the machine itself, of no use from elsewhere. */
  local: boolean
}

export function addressOf(
  config: Pick<ClickHouseConfig, 'CLICKHOUSE_URL'> & Partial<ClickHouseConfig>,
): ClickHouseAddress {
  const { protocol, hostname, port: named, pathname, password } = new URL(config.CLICKHOUSE_URL)
  const secure = protocol === 'https:'
  const port = named || (secure ? '443' : '80')
  const hostAndPort = `${hostname}:${port}`
  return {
    url: `${protocol}//${hostAndPort}${pathname.endsWith('/') ? pathname : `${pathname}/`}`,
    hostAndPort,
    host: hostname.replace(/^\[|\]$/g, ''),
    port,
    secure,
    password: (config.CLICKHOUSE_PASSWORD ?? '') !== '' || password !== '',
    local: /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname),
  }
}

/** What stands in a field where the value is a word of the visitor's language. */
export interface FieldWords {
  on: string
  off: string
  no_password: string
  your_password: string
}

/** `value` is to be typed in, `said` is only told. */
export type Field = { label: string } & ({ value: string } | { said: string })

export const TOOL_NAMES = {
  dbeaver: 'DBeaver',
  metabase: 'Metabase',
  grafana: 'Grafana',
  superset: 'Apache Superset',
  excel: 'Microsoft Excel',
  python: 'Python',
  r: 'R',
  java: 'Java (JDBC)',
  curl: 'curl',
} as const
export type ToolId = keyof typeof TOOL_NAMES

export interface Tool {
  id: ToolId
  /** Fields of the tool's own form, under the names they have there. */
  fields: Field[]
  /** Texts to copy, each with what it is. */
  texts: { kind: string; text: string }[]
}

/** Both rates of every province over a year. */
export const QUESTION = questionOf('rates', "tier = 'province'")

function questionOf(object: string, part: string): string {
  const example = readExamples().find(({ object: of, query }) => of === object && query.includes(part))
  if (example === undefined) throw new Error(`docs/sql/examples.sql has no example of ${object} with ${part}`)
  return example.query
}

/** What a form calls each part of the address; a part without a name is not asked there. */
interface Labels {
  host: string
  port: string
  protocol?: string
  ssl: string
  database: string
  user: string
  password: string
}

const LABELS: Labels = {
  host: 'Host',
  port: 'Port',
  ssl: 'Use SSL',
  database: 'Database',
  user: 'Username',
  password: 'Password',
}

/** The parts of the address as a form asks for them. */
export function fieldsOf(address: ClickHouseAddress, words: FieldWords, labels: Labels = LABELS): Field[] {
  return [
    { label: labels.host, value: address.host },
    { label: labels.port, value: address.port },
    ...(labels.protocol === undefined ? [] : [{ label: labels.protocol, said: 'HTTP' }]),
    { label: labels.ssl, said: address.secure ? words.on : words.off },
    { label: labels.database, value: DATABASE },
    { label: labels.user, value: USER },
    { label: labels.password, said: address.password ? words.your_password : words.no_password },
  ]
}

export function toolsOf(address: ClickHouseAddress, words: FieldWords): Tool[] {
  const secret = address.password ? words.your_password : ''
  const sql = { kind: 'SQL', text: QUESTION }
  return [
    {
      id: 'dbeaver',
      fields: fieldsOf(address, words),
      texts: [{ kind: 'JDBC URL', text: jdbcUrl(address) }, sql],
    },
    {
      id: 'metabase',
      fields: fieldsOf(address, words, { ...LABELS, database: 'Databases', ssl: 'Use a secure connection (SSL)' }),
      texts: [sql],
    },
    {
      id: 'grafana',
      fields: fieldsOf(address, words, {
        ...LABELS,
        host: 'Server address',
        port: 'Server port',
        protocol: 'Protocol',
        ssl: 'Secure Connection',
        database: 'Default database',
      }),
      texts: [sql],
    },
    {
      id: 'superset',
      fields: fieldsOf(address, words, { ...LABELS, database: 'Database name', ssl: 'SSL' }),
      texts: [{ kind: 'SQLAlchemy URI', text: sqlAlchemyUri(address, secret) }, sql],
    },
    { id: 'excel', fields: [], texts: [{ kind: 'URL', text: csvUrl(address) }] },
    { id: 'python', fields: [], texts: [{ kind: 'Python', text: pythonProgram(address, secret) }] },
    { id: 'r', fields: [], texts: [{ kind: 'R', text: rProgram(address, secret) }] },
    { id: 'java', fields: [], texts: [{ kind: 'Rates.java', text: javaProgram(address, secret) }] },
    { id: 'curl', fields: [], texts: [{ kind: 'curl', text: curlCommand(address) }] },
  ]
}

const jdbcUrl = ({ hostAndPort, secure }: ClickHouseAddress): string =>
  `jdbc:clickhouse://${hostAndPort}/${DATABASE}${secure ? '?ssl=true' : ''}`

const sqlAlchemyUri = ({ hostAndPort, secure }: ClickHouseAddress, secret: string): string =>
  `clickhousedb://${USER}${secret === '' ? '' : `:<${secret}>`}@${hostAndPort}/${DATABASE}${secure ? '?secure=true' : ''}`

/** With a password the user's name stays out: ClickHouse refuses a sign-in that comes in two ways. */
const csvUrl = ({ url, password }: ClickHouseAddress): string => {
  const query = `${QUESTION.replace(/\s+/g, ' ')} FORMAT CSVWithNames`
  return `${url}?${password ? '' : `user=${USER}&`}database=${DATABASE}&query=${encodeURIComponent(query)}`
}

const pythonProgram = ({ host, port, secure }: ClickHouseAddress, secret: string): string =>
  `import clickhouse_connect

client = clickhouse_connect.get_client(
    host="${host}", port=${port}, secure=${secure ? 'True' : 'False'},
    username="${USER}", password="${secret}", database="${DATABASE}",
)
result = client.query("""
${QUESTION}
""")
print(*result.column_names, sep="\\t")
for row in result.result_rows:
    print(*row, sep="\\t")
`

const rProgram = ({ url }: ClickHouseAddress, secret: string): string =>
  `library(httr2)

answer <- request("${url}?database=${DATABASE}") |>
  req_auth_basic("${USER}", "${secret}") |>
  req_body_raw("
${QUESTION}
FORMAT CSVWithNames
", "text/plain") |>
  req_perform()
rates <- read.csv(text = resp_body_string(answer), na.strings = "\\\\N")
print(rates)
`

const javaProgram = (address: ClickHouseAddress, secret: string): string =>
  `import java.sql.DriverManager;

public class Rates {
  public static void main(String[] arguments) throws Exception {
    String url = "${jdbcUrl(address)}";
    try (var connection = DriverManager.getConnection(url, "${USER}", "${secret}");
        var statement = connection.createStatement();
        var rows = statement.executeQuery("""
${QUESTION.replace(/^/gm, '            ')}
            """)) {
      while (rows.next())
        System.out.println(rows.getString("unit_name") + " " + rows.getString("online_rate"));
    }
  }
}
`

/** Without a colon after the user's name curl asks for the password. */
const curlCommand = ({ url, password }: ClickHouseAddress): string =>
  `curl -sS -u ${USER}${password ? '' : ':'} "${url}?database=${DATABASE}" --data-binary "
${QUESTION}
FORMAT CSVWithNames"
`
