-- Parts that were put in place when they came, because nothing else played here: `rows` of such a part are without content.
alter table sync_stage add column placed integer not null default 0 check (placed in (0, 1));
