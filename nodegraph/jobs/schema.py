"""The tables, as steps: the database remembers how many of them it has taken."""

from __future__ import annotations

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE jobs (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        name TEXT NOT NULL,
        workflow TEXT NOT NULL,
        priority INTEGER NOT NULL,
        client TEXT NOT NULL,
        key TEXT UNIQUE,
        document TEXT NOT NULL,
        inputs TEXT NOT NULL,
        targets TEXT NOT NULL,
        created REAL NOT NULL,
        started REAL,
        ended REAL,
        error TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        kills INTEGER NOT NULL DEFAULT 0,
        cancelling INTEGER NOT NULL DEFAULT 0,
        webhook TEXT,
        notified INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX jobs_in_line ON jobs (priority DESC, number) WHERE state = 'pending';
    CREATE INDEX jobs_by_state ON jobs (state, number);
    CREATE INDEX jobs_to_notify ON jobs (number) WHERE webhook IS NOT NULL AND notified = 0;
    CREATE TABLE nodes (
        job TEXT NOT NULL,
        node TEXT NOT NULL,
        state TEXT NOT NULL,
        seconds REAL,
        memory INTEGER,
        error TEXT,
        port TEXT,
        PRIMARY KEY (job, node)
    ) WITHOUT ROWID;
    CREATE TABLE events (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        type TEXT NOT NULL,
        data TEXT NOT NULL
    );
    CREATE TABLE results (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        job TEXT NOT NULL,
        node TEXT NOT NULL,
        ordinal INTEGER NOT NULL,
        file TEXT NOT NULL,
        name TEXT NOT NULL,
        width INTEGER,
        height INTEGER,
        bytes INTEGER NOT NULL,
        prompt TEXT NOT NULL,
        negative TEXT NOT NULL,
        seed INTEGER,
        model TEXT NOT NULL,
        workflow TEXT NOT NULL,
        created REAL NOT NULL,
        starred INTEGER NOT NULL DEFAULT 0,
        hash INTEGER,
        UNIQUE (job, node, ordinal)
    );
    CREATE INDEX results_starred ON results (number) WHERE starred = 1;
    CREATE VIRTUAL TABLE words USING fts5 (
        prompt, negative, model, workflow, name, content = 'results', content_rowid = 'number',
        tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
    );
    CREATE TRIGGER results_added AFTER INSERT ON results BEGIN
        INSERT INTO words (rowid, prompt, negative, model, workflow, name)
        VALUES (new.number, new.prompt, new.negative, new.model, new.workflow, new.name);
    END;
    CREATE TRIGGER results_removed AFTER DELETE ON results BEGIN
        INSERT INTO words (words, rowid, prompt, negative, model, workflow, name)
        VALUES ('delete', old.number, old.prompt, old.negative, old.model, old.workflow, old.name);
    END;
    CREATE TABLE workflows (
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        document TEXT NOT NULL,
        created REAL NOT NULL,
        PRIMARY KEY (name, version)
    ) WITHOUT ROWID;
    CREATE TABLE uploads (
        name TEXT PRIMARY KEY,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        created REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE settings (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE prompts (
        id TEXT PRIMARY KEY,
        job TEXT NOT NULL,
        prompt TEXT NOT NULL,
        extra TEXT NOT NULL,
        client TEXT NOT NULL,
        origin TEXT NOT NULL,
        outputs TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX prompts_by_job ON prompts (job);
    CREATE TABLE names (
        kind TEXT NOT NULL,
        subfolder TEXT NOT NULL,
        name TEXT NOT NULL,
        upload TEXT NOT NULL,
        PRIMARY KEY (kind, subfolder, name)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE sweeps (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        key TEXT UNIQUE,
        name TEXT NOT NULL,
        axes TEXT NOT NULL,
        created REAL NOT NULL
    );
    CREATE TABLE cells (
        sweep TEXT NOT NULL,
        place TEXT NOT NULL,
        job TEXT NOT NULL,
        PRIMARY KEY (sweep, place)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE userdata (
        path TEXT PRIMARY KEY,
        content BLOB NOT NULL,
        created REAL NOT NULL,
        modified REAL NOT NULL
    );
    """,
    """
    ALTER TABLE jobs ADD COLUMN models TEXT NOT NULL DEFAULT '[]';
    """,
    """
    ALTER TABLE jobs ADD COLUMN nodes TEXT NOT NULL DEFAULT '{}';
    UPDATE jobs SET nodes = (
        SELECT json_group_object(node, json_object(
            'state', n.state, 'seconds', seconds, 'memory', memory, 'error', n.error, 'port', port
        )) FROM nodes n WHERE job = jobs.id
    );
    DROP TABLE nodes;
    CREATE TABLE told (last INTEGER PRIMARY KEY AUTOINCREMENT, first INTEGER NOT NULL, lines TEXT NOT NULL);
    INSERT INTO told SELECT number, number, type || ' ' || data FROM events;
    DROP TABLE events;
    ALTER TABLE told RENAME TO events;
    """,
    # Apart from the jobs, since a row is written as a whole when one word of it changes.
    """
    CREATE TABLE documents (job INTEGER PRIMARY KEY REFERENCES jobs (number), document TEXT NOT NULL);
    INSERT INTO documents SELECT number, document FROM jobs;
    ALTER TABLE jobs DROP COLUMN document;
    """,
)
"""Never edit one that was released: add another. `STEPS[n]` takes a database of version n to n + 1."""
