-- +goose Up
CREATE TABLE meta (
    name  VARCHAR(32) NOT NULL,
    value BIGINT      NOT NULL,
    CONSTRAINT meta_pk PRIMARY KEY (name)
);

-- One counter for the whole log: it rises with every change, so that replicas see by
-- one small read whether there is anything new.
INSERT INTO meta (name, value) VALUES ('changes', 0);

CREATE TABLE route_weights (
    route       VARCHAR(64)  NOT NULL,
    weights     TEXT         NOT NULL,
    fingerprint VARCHAR(64)  NOT NULL,
    version     BIGINT       NOT NULL,
    retired     SMALLINT     NOT NULL,
    actor       VARCHAR(128) NOT NULL,
    reason      VARCHAR(512) NOT NULL,
    changed_at  BIGINT       NOT NULL,
    CONSTRAINT route_weights_pk PRIMARY KEY (route),
    CONSTRAINT route_weights_json CHECK (json_valid(weights)),
    CONSTRAINT route_weights_version CHECK (version > 0)
);

CREATE TABLE audit (
    seq          BIGINT       NOT NULL,
    changed_at   BIGINT       NOT NULL,
    actor        VARCHAR(128) NOT NULL,
    action       VARCHAR(32)  NOT NULL,
    route        VARCHAR(64)  NOT NULL,
    from_weights TEXT         NOT NULL,
    to_weights   TEXT         NOT NULL,
    reason       VARCHAR(512) NOT NULL,
    request_id   VARCHAR(64)  NOT NULL,
    CONSTRAINT audit_pk PRIMARY KEY (seq),
    CONSTRAINT audit_from_json CHECK (json_valid(from_weights)),
    CONSTRAINT audit_to_json CHECK (json_valid(to_weights))
);

CREATE INDEX audit_by_route ON audit (route, seq);

-- +goose Down
DROP TABLE audit;
DROP TABLE route_weights;
DROP TABLE meta;
