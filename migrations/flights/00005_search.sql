-- +goose Up
-- A search that no place or carrier narrows looks here for all that it filters and orders
-- by, and reads the rows of its page only: those of all flights took as long as there are
-- flights. On MySQL in one statement: programs that run name the index in their searches.
-- To SQLite it is a comment; see 00004.
/*! ALTER TABLE flights DROP INDEX flights_departure, ADD INDEX flights_departure (dep_utc, flight_id, dep_date, currency, price,
  economy, premium_economy, business, first_class, minutes, stops, status, configuration, bucket) */;

-- +goose Down
/*! ALTER TABLE flights DROP INDEX flights_departure, ADD INDEX flights_departure (dep_utc, flight_id, currency, price) */;
