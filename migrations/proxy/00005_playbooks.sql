-- +goose Up
-- The journal of runs of playbooks. Every change begins with an update of this counter,
-- so that changes take turns; it also numbers the runs.
INSERT INTO meta (name, value) VALUES ('playbooks', 0);

-- A run of a page. attempt rises whenever somebody resumes it: what is noted under an
-- older one is refused. seen_at is the last sign of life of its runner. Times are
-- microseconds since 1970 UTC by the database's clock.
CREATE TABLE playbook_runs (
    run        VARCHAR(96)  COLLATE binary NOT NULL,
    seq        BIGINT       NOT NULL,
    name       VARCHAR(64)  COLLATE binary NOT NULL,
    file       VARCHAR(512) NOT NULL,
    title      VARCHAR(256) NOT NULL,
    digest     VARCHAR(64)  COLLATE binary NOT NULL,
    total      INT          NOT NULL,
    state      VARCHAR(9)   COLLATE binary NOT NULL,
    back       SMALLINT     NOT NULL,
    attempt    BIGINT       NOT NULL,
    actor      VARCHAR(128) NOT NULL,
    reason     VARCHAR(512) NOT NULL,
    variables  TEXT         NOT NULL,
    started_at BIGINT       NOT NULL,
    seen_at    BIGINT       NOT NULL,
    ended_at   BIGINT       NOT NULL,
    CONSTRAINT playbook_runs_pk PRIMARY KEY (run),
    CONSTRAINT playbook_runs_seq UNIQUE (seq),
    CONSTRAINT playbook_runs_state CHECK (state IN ('running', 'stopped', 'done', 'abandoned')),
    CONSTRAINT playbook_runs_json CHECK (json_valid(variables))
);

CREATE INDEX playbook_runs_by_name ON playbook_runs (name, seq);

-- A block of a run's page, under the attempt that began it.
CREATE TABLE playbook_steps (
    run        VARCHAR(96)   COLLATE binary NOT NULL,
    attempt    BIGINT        NOT NULL,
    step       VARCHAR(32)   COLLATE binary NOT NULL,
    title      VARCHAR(256)  NOT NULL,
    state      VARCHAR(9)    COLLATE binary NOT NULL,
    detail     VARCHAR(1024) NOT NULL,
    output     TEXT          NOT NULL,
    actor      VARCHAR(128)  NOT NULL,
    started_at BIGINT        NOT NULL,
    ended_at   BIGINT        NOT NULL,
    CONSTRAINT playbook_steps_pk PRIMARY KEY (run, attempt, step),
    CONSTRAINT playbook_steps_state CHECK (state IN ('running', 'done', 'failed', 'stopped'))
);

-- +goose Down
DROP TABLE playbook_steps;
DROP TABLE playbook_runs;
DELETE FROM meta WHERE name='playbooks';
