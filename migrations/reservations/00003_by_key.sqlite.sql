-- +goose Up
-- Tables that are looked up by their key with every claim lie in its order: a look-up goes
-- down one tree instead of two, and a seat is written into one. MySQL has them so anyway.
-- Tables with long rows or ids at random stay as they are, for fewer rows a page cost more
-- than the second tree.
ALTER TABLE fences RENAME TO fences_before;
CREATE TABLE fences (
  route VARCHAR(32) COLLATE binary NOT NULL,
  bucket INT NOT NULL,
  epoch BIGINT NOT NULL,
  mode VARCHAR(8) COLLATE binary NOT NULL,
  seq BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (route, bucket),
  CONSTRAINT fence_mode CHECK (mode IN ('active', 'ro', 'sealed')),
  CONSTRAINT fence_bucket CHECK (bucket >= 0 AND bucket < 10000)
) WITHOUT ROWID;
INSERT INTO fences(route,bucket,epoch,mode,seq) SELECT route,bucket,epoch,mode,seq FROM fences_before ORDER BY route,bucket;
DROP TABLE fences_before;

DROP INDEX flights_number;
ALTER TABLE flights RENAME TO flights_before;
CREATE TABLE flights (
  flight_id VARCHAR(32) COLLATE binary NOT NULL PRIMARY KEY,
  designator VARCHAR(8) COLLATE binary NOT NULL,
  departure_date VARCHAR(10) COLLATE binary NOT NULL,
  configuration VARCHAR(64) COLLATE binary NOT NULL,
  is_open INT NOT NULL,
  seq BIGINT NOT NULL,
  CONSTRAINT flight_id_length CHECK (length(flight_id) <= 32)
) WITHOUT ROWID;
INSERT INTO flights(flight_id,designator,departure_date,configuration,is_open,seq)
  SELECT flight_id,designator,departure_date,configuration,is_open,seq FROM flights_before ORDER BY flight_id;
DROP TABLE flights_before;
CREATE INDEX flights_number ON flights (designator, departure_date);

ALTER TABLE seats RENAME TO seats_before;
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
) WITHOUT ROWID;
INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at)
  SELECT bucket,flight_id,seat,kind,ref,customer_id,expires_at FROM seats_before ORDER BY bucket,flight_id,seat;
DROP TABLE seats_before;

-- +goose Down
ALTER TABLE fences RENAME TO fences_before;
CREATE TABLE fences (
  route VARCHAR(32) COLLATE binary NOT NULL,
  bucket INT NOT NULL,
  epoch BIGINT NOT NULL,
  mode VARCHAR(8) COLLATE binary NOT NULL,
  seq BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (route, bucket),
  CONSTRAINT fence_mode CHECK (mode IN ('active', 'ro', 'sealed')),
  CONSTRAINT fence_bucket CHECK (bucket >= 0 AND bucket < 10000)
);
INSERT INTO fences(route,bucket,epoch,mode,seq) SELECT route,bucket,epoch,mode,seq FROM fences_before ORDER BY route,bucket;
DROP TABLE fences_before;

DROP INDEX flights_number;
ALTER TABLE flights RENAME TO flights_before;
CREATE TABLE flights (
  flight_id VARCHAR(32) COLLATE binary NOT NULL PRIMARY KEY,
  designator VARCHAR(8) COLLATE binary NOT NULL,
  departure_date VARCHAR(10) COLLATE binary NOT NULL,
  configuration VARCHAR(64) COLLATE binary NOT NULL,
  is_open INT NOT NULL,
  seq BIGINT NOT NULL,
  CONSTRAINT flight_id_length CHECK (length(flight_id) <= 32)
);
INSERT INTO flights(flight_id,designator,departure_date,configuration,is_open,seq)
  SELECT flight_id,designator,departure_date,configuration,is_open,seq FROM flights_before ORDER BY flight_id;
DROP TABLE flights_before;
CREATE INDEX flights_number ON flights (designator, departure_date);

ALTER TABLE seats RENAME TO seats_before;
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
INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at)
  SELECT bucket,flight_id,seat,kind,ref,customer_id,expires_at FROM seats_before ORDER BY bucket,flight_id,seat;
DROP TABLE seats_before;
