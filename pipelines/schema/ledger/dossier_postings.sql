-- The ledger: what counts, as additive postings. A correction is a posting of -1 for the old facts and one of +1 for the
-- new. The roll-ups are projections: same part, same commit as the postings, so they cannot drift from them.
CREATE TABLE dossier_postings
(
    dossier_id String COMMENT 'Number of the dossier',
    sign Int32 COMMENT '1: these facts count from now on; -1: they count no longer. A healing may need more',
    unit_code LowCardinality(String) COMMENT 'Administrative unit it counts for: the processing unit, else the receiving one',
    receiving_unit LowCardinality(String) COMMENT 'Administrative unit where it was filed; empty: not known',
    source LowCardinality(String) COMMENT 'System whose event decided the life of the dossier; sample: synthetic data',
    procedure_code LowCardinality(String) COMMENT 'Administrative procedure; empty: not known',
    sector_code LowCardinality(String) COMMENT 'Sector as the source gives it; the catalogue goes before it when reading',
    channel LowCardinality(String) COMMENT 'ONLINE, COUNTER or POSTAL; empty: not known',
    service_level LowCardinality(String) COMMENT 'FULL, PARTIAL or INFORMATION; empty: not known',
    received_on Date COMMENT 'Day of reception at +07:00',
    due_on Date COMMENT 'Day of the due date in force at +07:00; 1970-01-01: none',
    settled_on Date COMMENT 'Day of settlement at +07:00; 1970-01-01: not settled',
    compared_on Date COMMENT 'Day of settlement less the supplement pause at +07:00, compared with due_on; 1970-01-01: not settled',
    returned_on Date COMMENT 'Day on which the result was handed over at +07:00; 1970-01-01: not yet',
    ended_on Date COMMENT 'Day from which on it is no longer pending (settled, else returned, else withdrawn or stopped; not before received_on); 1970-01-01: pending',
    ended_as LowCardinality(String) COMMENT 'What ended it: SETTLED, RETURNED, WITHDRAWN or STOPPED; empty: pending',
    overdue_on Date COMMENT 'First day at whose end it is overdue while it is pending: the day after due_on, later by the full days of the supplement pause, not before received_on; 1970-01-01: no due date',
    waiting_on Date COMMENT 'Day since which it waits for a supplement from the applicant; 1970-01-01: it does not',
    supplement_requests Int32 COMMENT 'Supplements asked for in total',
    fee_due Bool COMMENT 'A fee is due',
    paid_online Bool COMMENT 'The fee was paid online',
    digital_result Bool COMMENT 'The result was issued electronically',
    digitised Bool COMMENT 'Papers and result are digitised',
    data_reused Bool COMMENT 'Digitised data were used again',
    facts UInt64 COMMENT 'Hash of all facts as they were posted; the reversal goes by the facts themselves, the audit compares the two',
    batch LowCardinality(String) COMMENT 'Batch of events that caused the posting',
    posted_at DateTime64(3, 'UTC') COMMENT 'ingested_at of that batch, kept by a rebuild: figures as known at a past moment',
    slot UInt32 MATERIALIZED toUInt32OrZero(splitByChar('-', dossier_id)[2]) COMMENT 'yymmdd inside the dossier number, 0 where there is none',
    PROJECTION received
    (
        SELECT unit_code, received_on, source, channel, service_level, sum(sign)
        GROUP BY unit_code, received_on, source, channel, service_level
    ),
    PROJECTION settled
    (
        SELECT unit_code, settled_on, source, channel, service_level, sum(sign),
            sumIf(sign, compared_on < due_on),
            sumIf(sign, compared_on > due_on AND due_on != toDate(0))
        GROUP BY unit_code, settled_on, source, channel, service_level
    ),
    -- What is pending and overdue at the end of a day: what came in until then less what went out.
    PROJECTION ended
    (
        SELECT unit_code, ended_on, source, ended_as, sum(sign), sumIf(sign, overdue_on != toDate(0) AND overdue_on < ended_on)
        GROUP BY unit_code, ended_on, source, ended_as
    ),
    PROJECTION overdue
    (
        SELECT unit_code, overdue_on, source, sumIf(sign, ended_on = toDate(0) OR overdue_on < ended_on)
        GROUP BY unit_code, overdue_on, source
    )
)
ENGINE = MergeTree
ORDER BY (slot, dossier_id)
SETTINGS index_granularity = 1024
COMMENT 'The ledger: one row is a posting. Per dossier and facts the signs sum to 0 or 1; rates are sums of signs'
