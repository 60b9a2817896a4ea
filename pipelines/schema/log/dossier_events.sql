-- The log: every accepted event, never changed. Plain MergeTree on purpose: no Replacing (a merge must not decide what
-- counts), no TTL, no partition by a clock (late events would make thousands of tiny parts).
-- Columns carry no NULL: `says` tells which fields the event speaks of, and that makes the fold 1.8 times faster.
CREATE TABLE dossier_events
(
    event_id UUID COMMENT 'Unique; a redelivery repeats it',
    dossier_id String COMMENT 'Number of the dossier, unique in the country (MaHoSo)',
    revision Int64 COMMENT 'Grows with every change at the source; with event_id it orders the events of a dossier',
    event_type LowCardinality(String) COMMENT 'SUBMITTED, RECEIVED, NOT_ACCEPTED, PROCESSING, SUPPLEMENT_REQUESTED, SUPPLEMENT_RECEIVED, FEE_REQUESTED, DEADLINE_CHANGED, SETTLED, RETURNED, WITHDRAWN, STOPPED, CORRECTED or VOIDED',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened',
    source LowCardinality(String) COMMENT 'The system that speaks; sample: synthetic data',
    receiving_unit LowCardinality(String) COMMENT 'Code of the administrative unit that took the dossier in; empty: see says',
    processing_unit LowCardinality(String) COMMENT 'Code of the administrative unit that answers for it; empty: see says',
    procedure_code LowCardinality(String) COMMENT 'Administrative procedure (MaTTHC); empty: see says',
    sector_code LowCardinality(String) COMMENT 'Sector as the source gives it (MaLinhVuc); empty: see says',
    channel LowCardinality(String) COMMENT 'ONLINE, COUNTER or POSTAL; empty: see says',
    service_level LowCardinality(String) COMMENT 'FULL, PARTIAL or INFORMATION; empty: see says',
    received_at DateTime64(3, 'UTC') COMMENT 'When the dossier was received; 1970: see says',
    due_at DateTime64(3, 'UTC') COMMENT 'Due date in force; 1970: see says',
    settled_at DateTime64(3, 'UTC') COMMENT 'When it was settled; 1970: see says',
    returned_at DateTime64(3, 'UTC') COMMENT 'When the result was handed over; 1970: see says',
    supplement_pause_ms Int64 COMMENT 'Time waited for supplements so far, milliseconds; 0: see says',
    supplement_requests Int32 COMMENT 'Supplements asked for so far; 0: see says',
    fee_due Bool COMMENT 'A fee is due; false: see says',
    paid_online Bool COMMENT 'The fee was paid online; false: see says',
    digital_result Bool COMMENT 'The result was issued electronically; false: see says',
    digitised Bool COMMENT 'Papers and result are digitised; false: see says',
    data_reused Bool COMMENT 'Digitised data were used again; false: see says',
    cleared Array(LowCardinality(String)) COMMENT 'Names of the fields that this event empties again',
    says UInt32 COMMENT 'Bit k is 1 where the event sets or empties field k: 0 receiving_unit, 1 processing_unit, 2 procedure_code, 3 sector_code, 4 channel, 5 service_level, 6 received_at, 7 due_at, 8 settled_at, 9 returned_at, 10 supplement_pause_ms, 11 supplement_requests, 12 fee_due, 13 paid_online, 14 digital_result, 15 digitised, 16 data_reused, 17 the life of the dossier, 18 whether it waits for a supplement (event_type decides both)',
    topic LowCardinality(String) COMMENT 'Kafka topic the record came from',
    topic_epoch UInt32 COMMENT 'Life of the partition that the offset belongs to; see topic_epochs',
    partition Int32 COMMENT 'Kafka partition of the record',
    offset Int64 COMMENT 'Kafka offset of the record',
    log_append_time DateTime64(3, 'UTC') COMMENT 'Kafka''s time of the record; 1970: not kept',
    writer LowCardinality(String) COMMENT 'The ingest process that inserted the row; see partition_owners',
    count_epoch UInt64 COMMENT 'Partition count under which the batch was classified; see partition_counts',
    batch LowCardinality(String) COMMENT 'The insert that brought the row; one insert is one batch',
    batch_rows UInt32 COMMENT 'Rows of that batch; the ledger refuses a batch that reaches it in pieces',
    ingested_at DateTime64(3, 'UTC') COMMENT 'When the batch was ingested, the same for all its rows',
    rank UInt256 MATERIALIZED bitOr(bitShiftLeft(toUInt256(revision), 128), toUInt256(reinterpretAsUInt128(reverse(UUIDToNum(event_id))))) COMMENT 'One number for (revision, event_id as lower-case text): the highest decides',
    slot UInt32 MATERIALIZED toUInt32OrZero(splitByChar('-', dossier_id)[2]) COMMENT 'yymmdd inside the dossier number, 0 where there is none: keeps dossiers of a day together',
    CONSTRAINT has_batch CHECK batch != '' AND batch_rows > 0
)
ENGINE = MergeTree
ORDER BY (slot, dossier_id, revision)
SETTINGS index_granularity = 1024
COMMENT 'The log: one row is one accepted dossier event as delivered. A redelivered event stands twice; only the ledger counts'
