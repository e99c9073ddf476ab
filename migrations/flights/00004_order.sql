-- +goose Up
-- A search that no place or carrier narrows is read in the order that it wants, by price
-- or duration too, and what it filters by is looked for in the index: sorting all flights,
-- or reading the row of each, took as long as there are flights.
DROP INDEX flights_departure /*! ON flights */;
CREATE INDEX flights_departure ON flights
  (dep_utc, flight_id, currency, price, stops, economy, premium_economy, business, first_class, bucket);
CREATE INDEX flights_price ON flights
  (currency, price, dep_utc, flight_id, dep_date, stops, economy, premium_economy, business, first_class, bucket);
CREATE INDEX flights_minutes ON flights
  (minutes, dep_utc, flight_id, dep_date, currency, price, stops, economy, premium_economy, business, first_class, bucket);

-- +goose Down
-- To SQLite, what only MySQL wants to be told is a comment.
DROP INDEX flights_minutes /*! ON flights */;
DROP INDEX flights_price /*! ON flights */;
DROP INDEX flights_departure /*! ON flights */;
CREATE INDEX flights_departure ON flights (dep_utc, flight_id, currency, price);
