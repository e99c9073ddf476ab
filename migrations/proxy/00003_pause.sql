-- +goose Up
-- A paused route begins no moves of data; those under way end.
ALTER TABLE route_weights ADD COLUMN paused SMALLINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE route_weights DROP COLUMN paused;
