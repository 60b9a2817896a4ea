CREATE TABLE procedure_groups
(
    group_code LowCardinality(String) COMMENT 'Code of the group, e.g. ESSENTIAL_SERVICES',
    number Nullable(UInt16) COMMENT 'Number of the title in its decision; NULL: not known',
    title_vi String COMMENT 'Title in Vietnamese as in the decision',
    title_en String COMMENT 'Title in English (ours)',
    decision String COMMENT 'Decision that names the title',
    certain Bool COMMENT 'The title is known to be in the decision',
    procedure_code LowCardinality(String) COMMENT 'Procedure under this title; empty: none is known'
)
ENGINE = MergeTree ORDER BY (group_code, procedure_code, title_vi)
COMMENT 'Groups of procedures; one row is a title and a procedure under it. A procedure may stand under several titles'
