SELECT current_database()::text AS datname,
       o.outcome,
       o.count::double precision AS total
  FROM eventcore.stat_executions x
 CROSS JOIN LATERAL (VALUES ('executed', x.executions), ('repeated', x.repeats), ('rejected', x.rejections),
                            ('conflict', x.conflicts), ('failed', x.failures)) o (outcome, count)
