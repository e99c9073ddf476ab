-- +goose Up
-- The journal of the handover of buckets. Names and ids are VARCHAR(n) COLLATE binary:
-- bytes in MySQL, text in SQLite. Times are microseconds since 1970 UTC by the
-- database's clock.

-- A route whose data moves with its traffic. Every transition begins with an update of
-- this row, so that transitions of a route take turns and replicas see by one small
-- read whether there is anything new.
CREATE TABLE handover_routes (
    route       VARCHAR(64) COLLATE binary NOT NULL,
    home        VARCHAR(64) COLLATE binary NOT NULL,
    bucket_hash VARCHAR(64) COLLATE binary NOT NULL,
    next_epoch  BIGINT      NOT NULL,
    changes     BIGINT      NOT NULL,
    CONSTRAINT handover_routes_pk PRIMARY KEY (route)
);

-- Who owns a bucket. target and move are '' and 0 unless it is moving; changed is the
-- route's counter at the row's last transition. What purge_store still has of the
-- bucket, sealed in purge_epoch or earlier, may go some time after purge_since.
CREATE TABLE handover_buckets (
    route       VARCHAR(64) COLLATE binary NOT NULL,
    bucket      INT         NOT NULL,
    phase       VARCHAR(9)  COLLATE binary NOT NULL,
    owner       VARCHAR(64) COLLATE binary NOT NULL,
    target      VARCHAR(64) COLLATE binary NOT NULL,
    epoch       BIGINT      NOT NULL,
    move        BIGINT      NOT NULL,
    changed     BIGINT      NOT NULL,
    purge_store VARCHAR(64) COLLATE binary NOT NULL,
    purge_epoch BIGINT      NOT NULL,
    purge_since BIGINT      NOT NULL,
    CONSTRAINT handover_buckets_pk PRIMARY KEY (route, bucket),
    CONSTRAINT handover_buckets_phase CHECK (phase IN ('idle', 'prep', 'committed', 'aborting')),
    CONSTRAINT handover_buckets_bucket CHECK (bucket >= 0 AND bucket < 10000),
    CONSTRAINT handover_buckets_epoch CHECK (epoch > 0),
    CONSTRAINT handover_buckets_owner CHECK (length(owner) > 0)
);

CREATE INDEX handover_buckets_by_move ON handover_buckets (route, move);

-- A move of many buckets, named by its first epoch. parts is how many parts each bucket
-- came in, known from the commit on. pause is in microseconds.
CREATE TABLE handover_moves (
    route        VARCHAR(64)  COLLATE binary NOT NULL,
    move         BIGINT       NOT NULL,
    epoch        BIGINT       NOT NULL,
    kind         VARCHAR(8)   COLLATE binary NOT NULL,
    phase        VARCHAR(9)   COLLATE binary NOT NULL,
    source       VARCHAR(64)  COLLATE binary NOT NULL,
    target       VARCHAR(64)  COLLATE binary NOT NULL,
    buckets      INT          NOT NULL,
    coordinator  VARCHAR(64)  COLLATE binary NOT NULL,
    heartbeat_at BIGINT       NOT NULL,
    started_at   BIGINT       NOT NULL,
    ended_at     BIGINT       NOT NULL,
    outcome      VARCHAR(9)   COLLATE binary NOT NULL,
    reason       VARCHAR(512) NOT NULL,
    records      BIGINT       NOT NULL,
    pause        BIGINT       NOT NULL,
    parts        TEXT         NOT NULL,
    error        VARCHAR(512) NOT NULL,
    CONSTRAINT handover_moves_pk PRIMARY KEY (route, move),
    CONSTRAINT handover_moves_kind CHECK (kind IN ('move', 'recover')),
    CONSTRAINT handover_moves_phase CHECK (phase IN ('prep', 'committed', 'aborting', 'ended')),
    CONSTRAINT handover_moves_outcome CHECK (outcome IN ('', 'moved', 'aborted', 'recovered')),
    CONSTRAINT handover_moves_parts CHECK (json_valid(parts))
);

CREATE INDEX handover_moves_open ON handover_moves (route, phase);

-- Buckets that belong to a backend whatever the weights say.
CREATE TABLE handover_pins (
    route  VARCHAR(64)  COLLATE binary NOT NULL,
    bucket INT          NOT NULL,
    owner  VARCHAR(64)  COLLATE binary NOT NULL,
    reason VARCHAR(512) NOT NULL,
    set_at BIGINT       NOT NULL,
    CONSTRAINT handover_pins_pk PRIMARY KEY (route, bucket)
);

-- +goose Down
DROP TABLE handover_pins;
DROP TABLE handover_moves;
DROP TABLE handover_buckets;
DROP TABLE handover_routes;
