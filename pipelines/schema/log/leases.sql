-- Rights that are held for a time and end by themselves, so that whoever is killed while it holds one blocks nobody. Names:
-- `rebuild` (one rebuild at a time) and `pause` (balance posts nothing meanwhile, and ingest waits).
CREATE TABLE leases
(
    name LowCardinality(String) COMMENT 'What is held: rebuild or pause',
    epoch UInt64 COMMENT 'Grows with every row of a name; the highest row says who holds it',
    holder LowCardinality(String) COMMENT 'The process that holds it',
    until DateTime64(3, 'UTC') COMMENT 'When it ends by itself; 1970: given back',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written'
)
ENGINE = MergeTree ORDER BY (name, epoch)
COMMENT 'One row is a lease taken, prolonged or given back; of a name the highest (epoch, holder) stands'
