CREATE TABLE block_probe_result
(
    one_block UInt8 COMMENT '0: the insert arrived as one block'
)
ENGINE = Null
COMMENT 'What block_probe_view writes into; keeps nothing'
