-- +goose Up
-- As 00005 on MySQL.
DROP INDEX flights_departure;
CREATE INDEX flights_departure ON flights (dep_utc, flight_id, dep_date, currency, price,
  economy, premium_economy, business, first_class, minutes, stops, status, configuration, bucket);

-- +goose Down
DROP INDEX flights_departure;
CREATE INDEX flights_departure ON flights (dep_utc, flight_id, currency, price);
