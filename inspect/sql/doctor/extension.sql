-- Its findings about privileges have checks of their own.
SELECT c.object, c.detail, c.statement, c.finding FROM eventcore_check() c WHERE c.finding <> 'privilege'
