-- +goose Up
-- A search that no place or carrier narrows looks here for all that it filters and orders
-- by, and reads the rows of its page only: those of all flights took as long as there are
-- flights.
DROP INDEX flights_departure /*! ON flights */;
CREATE INDEX flights_departure ON flights (dep_utc, flight_id, dep_date, currency, price,
  economy, premium_economy, business, first_class, minutes, stops, status, configuration, bucket);

-- +goose Down
-- To SQLite, what only MySQL wants to be told is a comment.
DROP INDEX flights_departure /*! ON flights */;
CREATE INDEX flights_departure ON flights (dep_utc, flight_id, currency, price);
