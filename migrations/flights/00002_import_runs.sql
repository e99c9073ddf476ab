-- +goose Up
-- How far an import has come, written in the transaction of each batch of flights, so
-- that it goes on after a crash where it was. Times in seconds since 1970.
CREATE TABLE import_runs (
  run_id VARCHAR(64) COLLATE binary NOT NULL PRIMARY KEY,
  next_line BIGINT NOT NULL,
  inserted BIGINT NOT NULL,
  existing BIGINT NOT NULL,
  refused BIGINT NOT NULL,
  done SMALLINT NOT NULL,
  updated_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE import_runs;
