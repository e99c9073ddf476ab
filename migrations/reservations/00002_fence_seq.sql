-- +goose Up
-- The last part of a bucket's data that was copied in the fence's epoch; 0: none.
ALTER TABLE fences ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE fences DROP COLUMN seq;
