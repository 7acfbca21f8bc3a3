-- Why a quote is what it is: every route there was, and the middle that they were compared with. An
-- order takes it over into ``decisions``, because quotes are deleted.
ALTER TABLE guarded_quotes ADD COLUMN decision jsonb;
