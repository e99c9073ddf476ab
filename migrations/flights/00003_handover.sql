-- +goose Up
-- Flights are handed over between stores by buckets; see package handover. SQL cannot
-- compute a bucket: -1 is one that the program has yet to fill in. event_seq is at least
-- the number of the flight's last event, in whichever store that was published; 0 is a
-- flight that has not changed since this column came, see counters.
ALTER TABLE flights ADD COLUMN bucket SMALLINT NOT NULL DEFAULT -1;
ALTER TABLE flights ADD COLUMN event_seq BIGINT NOT NULL DEFAULT 0;
CREATE INDEX flights_bucket ON flights (bucket, flight_id);

-- Who may use a bucket; see package handover.
CREATE TABLE fences (
  route VARCHAR(32) COLLATE binary NOT NULL,
  bucket SMALLINT NOT NULL,
  epoch BIGINT NOT NULL,
  mode VARCHAR(8) COLLATE binary NOT NULL,
  seq BIGINT NOT NULL DEFAULT 0,
  CONSTRAINT fences_key PRIMARY KEY (route, bucket),
  CONSTRAINT fences_mode CHECK (mode IN ('active', 'ro', 'sealed'))
);

-- Facts about the store itself, such as the bucket hash that it was made with.
CREATE TABLE meta (
  name VARCHAR(32) COLLATE binary NOT NULL PRIMARY KEY,
  value VARCHAR(128) COLLATE binary NOT NULL
);

-- fences counts the changes of fences, so that whoever remembers them knows when to read
-- them again. reference-home and reference-away count the changes of reference data: this
-- store's own, and those that it has copied from the other one. event-floor is above the
-- last event before flights had event_seq.
CREATE TABLE counters (
  name VARCHAR(32) COLLATE binary NOT NULL PRIMARY KEY,
  value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('fences', 0), ('reference-home', 0), ('reference-away', 0);
INSERT INTO counters (name, value) SELECT 'event-floor', seq + 1 FROM outbox_counter WHERE id=1;

-- Answers of requests that came with an Idempotency-Key, in the bucket of their flight,
-- with which they move. They replace those of the table idempotency, which the program
-- empties into this one. created_at in microseconds.
CREATE TABLE answers (
  bucket SMALLINT NOT NULL,
  idem_key VARCHAR(128) COLLATE binary NOT NULL,
  fingerprint VARCHAR(64) COLLATE binary NOT NULL,
  answer LONGTEXT NOT NULL,
  created_at BIGINT NOT NULL,
  CONSTRAINT answers_pk PRIMARY KEY (bucket, idem_key),
  CONSTRAINT answers_answer CHECK (json_valid(answer))
);
CREATE INDEX answers_by_key ON answers (idem_key, created_at);

-- +goose Down
INSERT INTO idempotency (idem_key, fingerprint, answer, created_at)
  SELECT a.idem_key, a.fingerprint, a.answer, a.created_at FROM answers a
  WHERE NOT EXISTS (SELECT 1 FROM answers b WHERE b.idem_key = a.idem_key AND b.bucket < a.bucket)
    AND a.idem_key NOT IN (SELECT idem_key FROM idempotency);
DROP TABLE answers;
DROP TABLE counters;
DROP TABLE meta;
DROP TABLE fences;
-- To SQLite, what only MySQL wants to be told is a comment.
DROP INDEX flights_bucket /*! ON flights */;
ALTER TABLE flights DROP COLUMN event_seq;
ALTER TABLE flights DROP COLUMN bucket;
