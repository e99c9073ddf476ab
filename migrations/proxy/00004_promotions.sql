-- +goose Up
-- How each route climbs the steps of its analysis. One replica drives at a time: the
-- holder, until lease_until. version rises with every change but the lease. seen is the
-- version of the route's weights that the last order left. windows counts the times that
-- a step's samples were begun anew. Times are microseconds since 1970 UTC by the
-- database's clock.
CREATE TABLE promotions (
    route       VARCHAR(64)  COLLATE binary NOT NULL,
    version     BIGINT       NOT NULL,
    state       VARCHAR(9)   COLLATE binary NOT NULL,
    backend     VARCHAR(64)  COLLATE binary NOT NULL,
    fingerprint VARCHAR(64)  COLLATE binary NOT NULL,
    weight      INT          NOT NULL,
    step        INT          NOT NULL,
    windows     INT          NOT NULL,
    seen        BIGINT       NOT NULL,
    looks       INT          NOT NULL,
    findings    TEXT         NOT NULL,
    reference   TEXT         NOT NULL,
    sentence    VARCHAR(1024) NOT NULL,
    actor       VARCHAR(128) NOT NULL,
    reason      VARCHAR(512) NOT NULL,
    started_at  BIGINT       NOT NULL,
    step_at     BIGINT       NOT NULL,
    changed_at  BIGINT       NOT NULL,
    holder      VARCHAR(64)  COLLATE binary NOT NULL,
    lease_until BIGINT       NOT NULL,
    CONSTRAINT promotions_pk PRIMARY KEY (route),
    CONSTRAINT promotions_state CHECK (state IN ('running', 'paused', 'promoted', 'failed', 'stopped')),
    CONSTRAINT promotions_findings CHECK (json_valid(findings)),
    CONSTRAINT promotions_reference CHECK (json_valid(reference))
);

-- +goose Down
DROP TABLE promotions;
