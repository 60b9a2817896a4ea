/**
 * The engine's server configuration, for a machine of a few GB that also runs Kafka and the services: caches of megabytes
 * instead of gigabytes, a ceiling for all queries together.
 */
const MB = 1024 * 1024

const SERVER_SETTINGS: Readonly<Record<string, number>> = {
  max_server_memory_usage: 1600 * MB,
  mark_cache_size: 64 * MB,
  primary_index_cache_size: 64 * MB,
  index_mark_cache_size: 16 * MB,
  query_condition_cache_size: 16 * MB,
  vector_similarity_index_cache_size: 1 * MB,
  text_index_tokens_cache_size: 4 * MB,
  text_index_header_cache_size: 4 * MB,
  text_index_postings_cache_size: 4 * MB,
  parquet_metadata_cache_size: 4 * MB,
  iceberg_metadata_files_cache_size: 1 * MB,
  compiled_expression_cache_size: 16 * MB,
  max_thread_pool_size: 500,
  max_thread_pool_free_size: 16,
}

export function engineConfig(): string {
  const lines = Object.entries(SERVER_SETTINGS).map(([name, value]) => `  <${name}>${value}</${name}>`)
  return `<clickhouse>\n${lines.join('\n')}\n</clickhouse>\n`
}
