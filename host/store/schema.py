"""Schema of the store, in numbered migrations. docs/store.md describes it."""

import sqlite3

APPLICATION_ID = 0x494E4B53  # "INKS", in the header of the file
PAGE_BYTES = 8192

_FIRST = """
CREATE TABLE text(key INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE model(
    key INTEGER PRIMARY KEY, bundle TEXT NOT NULL, model_id TEXT NOT NULL, UNIQUE(bundle, model_id)
);
CREATE TABLE class(key INTEGER PRIMARY KEY, task TEXT NOT NULL, label TEXT NOT NULL, UNIQUE(task, label));
CREATE TABLE device(
    key INTEGER PRIMARY KEY, site TEXT NOT NULL, number INTEGER NOT NULL, gateway INTEGER NOT NULL,
    first_seen REAL NOT NULL, last_seen REAL NOT NULL, readings INTEGER NOT NULL, silent_since REAL,
    reading TEXT, reading_time REAL, status TEXT, status_time REAL,
    UNIQUE(site, number, gateway)
);
CREATE TABLE reading(
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, device INTEGER NOT NULL, model INTEGER NOT NULL,
    time REAL NOT NULL, image_number INTEGER NOT NULL, sequence INTEGER NOT NULL, frame INTEGER NOT NULL,
    class INTEGER, class_index INTEGER, confidence REAL, answered_by INTEGER NOT NULL, unsure INTEGER NOT NULL,
    auth INTEGER NOT NULL, ber REAL NOT NULL, payload_ber REAL NOT NULL, answer_word INTEGER, crc_ok INTEGER,
    lost INTEGER NOT NULL, lost_certainty INTEGER NOT NULL, lost_total INTEGER NOT NULL,
    lost_total_certainty INTEGER NOT NULL, duplicate INTEGER NOT NULL, late INTEGER NOT NULL,
    unexpected INTEGER NOT NULL, snr_db REAL, tasks TEXT, human_label TEXT, symbols BLOB
);
CREATE INDEX reading_by_device ON reading(device, key, answered_by, lost, ber, snr_db, class, tasks);
CREATE INDEX reading_by_human_label ON reading(human_label, model) WHERE human_label IS NOT NULL;
CREATE TABLE reception(
    reading INTEGER, number INTEGER, gateway INTEGER NOT NULL, time REAL NOT NULL, ber REAL NOT NULL, crc_ok INTEGER,
    snr_db REAL, rssi_dbm REAL, PRIMARY KEY(reading, number)
) WITHOUT ROWID;
CREATE TABLE shown(class INTEGER, reading INTEGER, device INTEGER NOT NULL, PRIMARY KEY(class, reading)) WITHOUT ROWID;
CREATE INDEX shown_by_device ON shown(device, class, reading);
CREATE TABLE status(
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, device INTEGER NOT NULL, time REAL NOT NULL,
    counter INTEGER NOT NULL, uptime_s INTEGER NOT NULL, boots INTEGER, reset_cause INTEGER NOT NULL,
    mode INTEGER NOT NULL, threshold INTEGER NOT NULL, battery_v REAL, air_left_s REAL, period_s INTEGER,
    received_by INTEGER NOT NULL, snr_db REAL, rssi_dbm REAL
);
CREATE INDEX status_by_device ON status(device, key, battery_v);
CREATE TABLE event(
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, site TEXT NOT NULL, time REAL NOT NULL, event TEXT NOT NULL,
    text TEXT NOT NULL, device INTEGER, gateway INTEGER, "values" TEXT NOT NULL
);
CREATE INDEX event_by_site ON event(site);
CREATE INDEX event_by_device ON event(site, device) WHERE device IS NOT NULL;
CREATE TABLE hour(
    device INTEGER, hour INTEGER, readings INTEGER NOT NULL, by_board INTEGER NOT NULL, lost INTEGER NOT NULL,
    ber REAL NOT NULL, snr_db REAL NOT NULL, snr_readings INTEGER NOT NULL, battery_v REAL NOT NULL,
    battery_statuses INTEGER NOT NULL, classes TEXT NOT NULL, PRIMARY KEY(device, hour)
) WITHOUT ROWID;
CREATE TABLE total(kind TEXT PRIMARY KEY, count INTEGER NOT NULL, deleted_until INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO total VALUES('reading', 0, 0), ('status', 0, 0), ('event', 0, 0);
CREATE VIEW readings AS
SELECT
    reading.id, reading.time, strftime('%Y-%m-%dT%H:%M:%fZ', reading.time, 'unixepoch') AS utc, device.site,
    device.number AS device, model.bundle, model.model_id, reading.image_number, reading.sequence,
    frame.text AS frame, class.label AS class, reading.confidence, answered_by.text AS answered_by, reading.unsure,
    auth.text AS auth, reading.ber, reading.payload_ber, reading.crc_ok, reading.snr_db, reading.lost,
    reading.lost_total, reading.duplicate, reading.late, reading.unexpected, reading.tasks, reading.human_label,
    reading.key
FROM reading
JOIN device ON device.key = reading.device
JOIN model ON model.key = reading.model
JOIN text AS frame ON frame.key = reading.frame
JOIN text AS answered_by ON answered_by.key = reading.answered_by
JOIN text AS auth ON auth.key = reading.auth
LEFT JOIN class ON class.key = reading.class;
"""

_DAYS = """
CREATE TABLE day(
    device INTEGER, day INTEGER, readings INTEGER NOT NULL, by_board INTEGER NOT NULL, lost INTEGER NOT NULL,
    ber REAL NOT NULL, snr_db REAL NOT NULL, snr_readings INTEGER NOT NULL, battery_v REAL NOT NULL,
    battery_statuses INTEGER NOT NULL, classes TEXT NOT NULL, PRIMARY KEY(device, day)
) WITHOUT ROWID;
"""
FILL_DAYS = """
INSERT INTO day
SELECT
    device, hour / 24 AS number, sum(readings), sum(by_board), sum(lost), sum(ber), sum(snr_db), sum(snr_readings),
    sum(battery_v), sum(battery_statuses),
    (
        SELECT json_group_object(one, readings) FROM (
            SELECT each.key AS one, sum(each.value) AS readings FROM hour AS other, json_each(other.classes) AS each
            WHERE other.device = hour.device AND other.hour BETWEEN hour.hour / 24 * 24 AND hour.hour / 24 * 24 + 23
            GROUP BY each.key
        )
    )
FROM hour GROUP BY device, number;
"""
MIGRATIONS: tuple[str, ...] = (_FIRST, _DAYS + FILL_DAYS)  # number n leads from version n to n + 1


class SchemaError(Exception):
    """A file is no store, or of another version. The message is one clause."""


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a store; 0 for an empty file. Raises SchemaError for a file of another program."""
    (application,), (version,), (tables,) = (
        connection.execute(query).fetchone()
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if (application, version, tables) == (0, 0, 0):
        return 0
    if application != APPLICATION_ID:
        raise SchemaError("it is a file of another program: name another file")
    if version > len(MIGRATIONS):
        raise SchemaError(
            f"it has version {version}, and this program reads version {len(MIGRATIONS)}: use a newer Inkling"
        )
    return int(version)


def check_current(connection: sqlite3.Connection) -> None:
    """Raise SchemaError unless a file is a store of this version, which a reader can use as it is."""
    version = version_of(connection)
    if version < len(MIGRATIONS):
        raise SchemaError(
            f"it has version {version}, and this program reads version {len(MIGRATIONS)}: start inkling serve on it "
            "once, which converts it"
        )


def migrate(connection: sqlite3.Connection) -> None:
    """Create the tables of a new file, or convert an older one, completely or not at all. Raises SchemaError."""
    version = version_of(connection)
    if version == 0:  # both settings have no effect once there are tables
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for script in MIGRATIONS[version:]:
            for statement in script.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
