# For those who expect `make && sudo make install` of a PostgreSQL extension, such as PGXN's client.
# Everything else is in `cargo xtask --help`. `make install` runs no cargo: root need not have it.

PG_CONFIG ?= pg_config
DESTDIR ?=
BUILT := $(CURDIR)/target/make
LIBRARIES = $(DESTDIR)$(shell $(PG_CONFIG) --pkglibdir)
SCRIPTS = $(DESTDIR)$(shell $(PG_CONFIG) --sharedir)/extension

all:
	rm -rf '$(BUILT)'
	cargo xtask install --pg-config '$(PG_CONFIG)' --destdir '$(BUILT)'

install:
	@test -d '$(BUILT)' || { echo 'run make first, as a user who has cargo' >&2; exit 1; }
	mkdir -p '$(LIBRARIES)' '$(SCRIPTS)'
	find '$(BUILT)' -name eventcore.so -exec cp '{}' '$(LIBRARIES)/eventcore.so.new' ';'
	mv '$(LIBRARIES)/eventcore.so.new' '$(LIBRARIES)/eventcore.so'
	rm -f '$(SCRIPTS)'/eventcore--*.sql
	find '$(BUILT)' -path '*/extension/eventcore*' -exec cp '{}' '$(SCRIPTS)/' ';'

uninstall:
	rm -f '$(LIBRARIES)/eventcore.so' '$(SCRIPTS)/eventcore.control' '$(SCRIPTS)'/eventcore--*.sql

# Against the server that PGHOST, PGPORT, PGUSER and PGDATABASE name, with the library preloaded.
installcheck:
	psql --no-psqlrc --quiet --file packaging/pgxn/installcheck.sql

clean:
	cargo clean

.PHONY: all install uninstall installcheck clean
