-- +goose Up
-- Ids, keys and seats are VARCHAR(n) COLLATE binary: bytes in MySQL, where 12a must not
-- equal 12A, and text in SQLite, where a VARBINARY would turn '9E12' into a number.
-- Times are microseconds since 1970 UTC by the database's clock.
-- Everything that moves with a bucket has a key that starts with it.

CREATE TABLE meta (
  name VARCHAR(32) COLLATE binary NOT NULL PRIMARY KEY,
  value VARCHAR(64) COLLATE binary NOT NULL
);

-- Who may write a bucket: see the handover design. No row: this store does not own it.
CREATE TABLE fences (
  route VARCHAR(32) COLLATE binary NOT NULL,
  bucket INT NOT NULL,
  epoch BIGINT NOT NULL,
  mode VARCHAR(8) COLLATE binary NOT NULL,
  PRIMARY KEY (route, bucket),
  CONSTRAINT fence_mode CHECK (mode IN ('active', 'ro', 'sealed')),
  CONSTRAINT fence_bucket CHECK (bucket >= 0 AND bucket < 10000)
);

-- The catalogue: what flights' events said. It does not move with buckets.
CREATE TABLE feeds (
  source VARCHAR(32) COLLATE binary NOT NULL PRIMARY KEY,
  last_seq BIGINT NOT NULL
);

CREATE TABLE configurations (
  configuration VARCHAR(64) COLLATE binary NOT NULL PRIMARY KEY,
  seats TEXT NOT NULL
);

CREATE TABLE flights (
  flight_id VARCHAR(32) COLLATE binary NOT NULL PRIMARY KEY,
  designator VARCHAR(8) COLLATE binary NOT NULL,
  departure_date VARCHAR(10) COLLATE binary NOT NULL,
  configuration VARCHAR(64) COLLATE binary NOT NULL,
  is_open INT NOT NULL,
  seq BIGINT NOT NULL,
  CONSTRAINT flight_id_length CHECK (length(flight_id) <= 32)
);
CREATE INDEX flights_number ON flights (designator, departure_date);

-- A seat that is not free: H held, R reserved, B blocked. ref is the hold, the
-- reservation, or the reason of the block.
CREATE TABLE seats (
  bucket INT NOT NULL,
  flight_id VARCHAR(32) COLLATE binary NOT NULL,
  seat VARCHAR(4) COLLATE binary NOT NULL,
  kind VARCHAR(1) COLLATE binary NOT NULL,
  ref VARCHAR(255) COLLATE binary NOT NULL,
  customer_id VARCHAR(64) COLLATE binary NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (bucket, flight_id, seat),
  CONSTRAINT seat_length CHECK (length(seat) <= 4),
  CONSTRAINT seat_kind CHECK (kind='H' OR kind='R' OR kind='B') -- for IN, SQLite would build a table each time
);

-- Lists of seats are comma-separated.
CREATE TABLE holds (
  hold_id VARCHAR(22) COLLATE binary NOT NULL PRIMARY KEY,
  flight_id VARCHAR(32) COLLATE binary NOT NULL,
  customer_id VARCHAR(64) COLLATE binary NOT NULL,
  token VARCHAR(64) COLLATE binary NOT NULL,
  seats VARCHAR(64) COLLATE binary NOT NULL,
  status VARCHAR(10) COLLATE binary NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  extensions INT NOT NULL,
  reservation_id VARCHAR(22) COLLATE binary NOT NULL
);

CREATE TABLE reservations (
  reservation_id VARCHAR(22) COLLATE binary NOT NULL PRIMARY KEY,
  flight_id VARCHAR(32) COLLATE binary NOT NULL,
  customer_id VARCHAR(64) COLLATE binary NOT NULL,
  seats VARCHAR(64) COLLATE binary NOT NULL,
  status VARCHAR(10) COLLATE binary NOT NULL,
  created_at BIGINT NOT NULL,
  hold_id VARCHAR(22) COLLATE binary NOT NULL,
  related VARCHAR(22) COLLATE binary NOT NULL
);

-- What was done to the seats of a flight, a row for each write. The newest row tells the
-- flight's version, and its key is what keeps two writers from deciding on the same
-- state: the second finds the next version taken. With the row go the fence's epoch
-- (0, which is refused, if it is not active), the request's idempotency key and answer.
CREATE TABLE events (
  bucket INT NOT NULL,
  flight_id VARCHAR(32) COLLATE binary NOT NULL,
  version BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  type VARCHAR(16) COLLATE binary NOT NULL,
  ref VARCHAR(22) COLLATE binary NOT NULL,
  created_at BIGINT NOT NULL,
  request_key VARCHAR(128) COLLATE binary,
  fingerprint VARCHAR(64) COLLATE binary,
  answer TEXT,
  PRIMARY KEY (bucket, flight_id, version),
  CONSTRAINT event_epoch CHECK (epoch > 0),
  CONSTRAINT request_key_length CHECK (length(request_key) <= 128)
);
CREATE UNIQUE INDEX events_key ON events (bucket, request_key);

-- +goose Down
DROP TABLE events;
DROP TABLE reservations;
DROP TABLE holds;
DROP TABLE seats;
DROP TABLE flights;
DROP TABLE configurations;
DROP TABLE feeds;
DROP TABLE fences;
DROP TABLE meta;
