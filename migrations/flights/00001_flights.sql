-- +goose Up
-- Codes, ids and names (UTF-8) are VARCHAR(n) COLLATE binary: bytes in MySQL, so that no
-- collation calls two of them equal and no character set loses a letter, and text in
-- SQLite, where a VARBINARY would turn the designator 9E310 into a number.
CREATE TABLE airports (
  code VARCHAR(3) COLLATE binary NOT NULL PRIMARY KEY,
  name VARCHAR(400) COLLATE binary NOT NULL,
  city VARCHAR(400) COLLATE binary NOT NULL,
  country VARCHAR(2) COLLATE binary NOT NULL,
  tz VARCHAR(64) COLLATE binary NOT NULL,
  latitude DOUBLE NOT NULL,
  longitude DOUBLE NOT NULL,
  CONSTRAINT airport_code CHECK (length(code) = 3)
);
CREATE INDEX airports_country ON airports (country, code);

CREATE TABLE carriers (
  code VARCHAR(2) COLLATE binary NOT NULL PRIMARY KEY,
  name VARCHAR(400) COLLATE binary NOT NULL,
  CONSTRAINT carrier_code CHECK (length(code) = 2)
);

-- Aircraft types and the archetype whose seat map stands for them.
CREATE TABLE aircraft (
  code VARCHAR(4) COLLATE binary NOT NULL PRIMARY KEY,
  name VARCHAR(400) COLLATE binary NOT NULL,
  archetype VARCHAR(8) COLLATE binary NOT NULL
);

-- A configuration never changes: other geometry is another version. id is
-- <archetype>-<seats>.<version>; digest is SHA-256 of the seat map, in hex.
CREATE TABLE configurations (
  id VARCHAR(24) COLLATE binary NOT NULL PRIMARY KEY,
  archetype VARCHAR(8) COLLATE binary NOT NULL,
  seats SMALLINT NOT NULL,
  version SMALLINT NOT NULL,
  economy SMALLINT NOT NULL,
  premium_economy SMALLINT NOT NULL,
  business SMALLINT NOT NULL,
  first_class SMALLINT NOT NULL,
  digest VARCHAR(64) COLLATE binary NOT NULL,
  seat_map JSON NOT NULL,
  CONSTRAINT configuration_version UNIQUE (archetype, seats, version),
  CONSTRAINT configuration_digest UNIQUE (archetype, seats, digest),
  CONSTRAINT configuration_seats CHECK (seats > 0 AND seats = economy + premium_economy + business + first_class),
  CONSTRAINT configuration_map CHECK (json_valid(seat_map))
);

-- One row a dated flight, kept narrow: millions must fit. Dates are yyyymmdd and times
-- hhmm, local wall clock; dep_utc and arr_utc are seconds since 1970. Fares are minor
-- units of currency, NULL where the cabin is not sold, price the lowest of them.
-- status: 0 scheduled, 1 cancelled. synthetic: bits, see the store.
CREATE TABLE flights (
  flight_id VARCHAR(32) COLLATE binary NOT NULL PRIMARY KEY,
  designator VARCHAR(7) COLLATE binary NOT NULL,
  carrier VARCHAR(2) COLLATE binary NOT NULL,
  origin VARCHAR(3) COLLATE binary NOT NULL,
  destination VARCHAR(3) COLLATE binary NOT NULL,
  dep_date INT NOT NULL,
  dep_time SMALLINT NOT NULL,
  dep_utc BIGINT NOT NULL,
  arr_date INT NOT NULL,
  arr_time SMALLINT NOT NULL,
  arr_utc BIGINT NOT NULL,
  minutes SMALLINT NOT NULL,
  stops SMALLINT NOT NULL,
  configuration VARCHAR(24) COLLATE binary NOT NULL,
  currency VARCHAR(3) COLLATE binary NOT NULL,
  price BIGINT NOT NULL,
  economy BIGINT,
  premium_economy BIGINT,
  business BIGINT,
  first_class BIGINT,
  status SMALLINT NOT NULL,
  synthetic SMALLINT NOT NULL,
  version INT NOT NULL,
  CONSTRAINT flight_natural UNIQUE (designator, origin, dep_date),
  CONSTRAINT flight_status CHECK (status=0 OR status=1), -- for IN, SQLite would build a table each time
  CONSTRAINT flight_minutes CHECK (minutes > 0),
  CONSTRAINT flight_id_short CHECK (length(flight_id) <= 32)
);
-- A search pages by instant of departure, within what it was narrowed to. The last index
-- holds the price too, behind the columns of the order, so that a price alone, which may
-- be rare, is looked for in the index.
CREATE INDEX flights_route ON flights (origin, destination, dep_utc);
CREATE INDEX flights_origin ON flights (origin, dep_utc);
CREATE INDEX flights_destination ON flights (destination, dep_utc);
CREATE INDEX flights_date ON flights (dep_date, dep_utc);
CREATE INDEX flights_carrier ON flights (carrier, dep_utc);
CREATE INDEX flights_departure ON flights (dep_utc, flight_id, currency, price);

-- Answers of requests that came with an Idempotency-Key; created_at in microseconds.
CREATE TABLE idempotency (
  idem_key VARCHAR(128) COLLATE binary NOT NULL PRIMARY KEY,
  fingerprint VARCHAR(64) COLLATE binary NOT NULL,
  answer LONGTEXT NOT NULL,
  created_at BIGINT NOT NULL,
  CONSTRAINT idempotency_answer CHECK (json_valid(answer))
);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- See package outbox. seq is allocated under the lock of the counter's row, so that its
-- order is the order of commits. created_at in microseconds since 1970.
CREATE TABLE outbox_counter (
  id SMALLINT NOT NULL PRIMARY KEY,
  seq BIGINT NOT NULL
);
INSERT INTO outbox_counter (id, seq) VALUES (1, 0);
CREATE TABLE outbox (
  seq BIGINT NOT NULL PRIMARY KEY,
  stream VARCHAR(64) COLLATE binary NOT NULL,
  event_id VARCHAR(128) COLLATE binary NOT NULL,
  type VARCHAR(64) COLLATE binary NOT NULL,
  created_at BIGINT NOT NULL,
  data LONGTEXT NOT NULL,
  CONSTRAINT outbox_event UNIQUE (stream, event_id),
  CONSTRAINT outbox_data CHECK (json_valid(data))
);
CREATE INDEX outbox_stream ON outbox (stream, seq);

-- +goose Down
DROP TABLE outbox;
DROP TABLE outbox_counter;
DROP TABLE idempotency;
DROP TABLE flights;
DROP TABLE configurations;
DROP TABLE aircraft;
DROP TABLE carriers;
DROP TABLE airports;
