// Runs the client suite with tedious, the SQL Server client of Node's ecosystem.
//
// tedious reads decimal and money into JavaScript numbers, which have 53 bits: what it reads is compared
// to that precision, and all digits are compared by the server.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";

const modules = process.env.ICEHOST_TEST_NODE_MODULES;
if (!modules) {
  console.error("error: ICEHOST_TEST_NODE_MODULES is not set\nhint: set it to what node_modules.sh prints");
  process.exit(1);
}
const require = createRequire(join(modules, "resolve-from-here.cjs"));
const { Connection, Request, TYPES } = require("tedious");
const { version } = require("tedious/package.json");

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    database: { type: "string", default: "master" },
    plain: { type: "boolean", default: false },
  },
});
if (positionals.length !== 4) {
  console.error("usage: client_tedious.mjs HOST PORT USER PASSWORD [--database NAME] [--plain]");
  process.exit(2);
}
const [server, port, userName, password] = positionals;

const cases = JSON.parse(readFileSync(new URL("cases.json", import.meta.url), "utf8"));
const columns = cases.columns.map(({ name, type, values }) => ({
  name,
  type,
  family: type.split("(")[0],
  values: values.map((value) => (value.times ? value.repeat.repeat(value.times) : value)),
}));
const isBinary = ({ family }) => family === "binary" || family === "varbinary";
const isExact = ({ family }) => ["decimal", "numeric", "money", "smallmoney"].includes(family);
const hasTicks = ({ family }) => ["time", "datetime2", "datetimeoffset"].includes(family);

/** The type and value that a program would pass; text where a JavaScript value has too few digits. */
function toParameter(column, text) {
  const asDate = () => new Date(`${text}Z`);
  const types = {
    bit: [TYPES.Bit, () => text],
    tinyint: [TYPES.TinyInt, () => Number(text)],
    smallint: [TYPES.SmallInt, () => Number(text)],
    int: [TYPES.Int, () => Number(text)],
    bigint: [TYPES.BigInt, () => BigInt(text)],
    real: [TYPES.Real, () => text],
    float: [TYPES.Float, () => text],
    varchar: [TYPES.VarChar, () => text],
    char: [TYPES.Char, () => text],
    binary: [TYPES.VarBinary, () => Buffer.from(text, "hex")],
    varbinary: [TYPES.VarBinary, () => Buffer.from(text, "hex")],
    date: [TYPES.Date, () => new Date(text)],
    datetime: [TYPES.DateTime, asDate],
    smalldatetime: [TYPES.SmallDateTime, asDate],
    uniqueidentifier: [TYPES.UniqueIdentifier, () => text],
  };
  const [type, value] = types[column.family] ?? [TYPES.NVarChar, () => text];
  // tedious would declare an empty binary as one of length 0, which no server has
  const options = isBinary(column) && text === "" ? { length: 1 } : {};
  return { type, value: text === null ? null : value(), options };
}

/** A number to the digits that survive a division of an integer of more than 53 bits. */
function toPrecision(value) {
  return value.toPrecision(14);
}

/** A value that tedious read, as cases.json would put it. */
function toText(column, value) {
  if (value === null) return null;
  // nanosecondsDelta is what a Date's milliseconds leave over, in seconds
  const ticks = () => String(Math.round((value.nanosecondsDelta ?? 0) * 1e7)).padStart(4, "0");
  const iso = () => value.toISOString().slice(0, -1);
  switch (column.family) {
    case "bit":
    case "real":
    case "float":
      return value;
    case "decimal":
    case "numeric":
    case "money":
    case "smallmoney":
      return toPrecision(value);
    case "binary":
    case "varbinary":
      return value.toString("hex");
    case "date":
      return iso().slice(0, 10);
    case "datetime":
      return iso();
    case "smalldatetime":
      return iso().slice(0, -4);
    case "time":
      return iso().slice(11) + ticks();
    case "datetime2":
      return iso() + ticks();
    case "datetimeoffset":
      return `${iso()}${ticks()}+00:00`;
    case "uniqueidentifier":
      return value.toLowerCase();
    default:
      return String(value);
  }
}

/** What toText gives for a value that went in as `text`. */
function wanted(column, text) {
  if (text === null) return null;
  if (isExact(column)) return toPrecision(Number(text));
  if (column.family !== "datetimeoffset") return text;
  // tedious drops the offset: compare the moment in UTC
  const [, milliseconds, ticks, offset] = text.match(/^(.*\.\d{3})(\d{4})(.*)$/);
  return `${new Date(milliseconds + offset).toISOString().slice(0, -1)}${ticks}+00:00`;
}

let checks = 0;

function check(what, found, expected) {
  checks += 1;
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    const shown = (value) => JSON.stringify(value)?.slice(0, 200);
    throw new Error(`${what}: wanted ${shown(expected)}, found ${shown(found)}`);
  }
}

function connect() {
  const connection = new Connection({
    server,
    authentication: { type: "default", options: { userName, password } },
    options: {
      port: Number(port),
      database: options.database,
      encrypt: !options.plain,
      trustServerCertificate: true,
      rowCollectionOnRequestCompletion: true,
    },
  });
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve(connection)));
  });
}

/** Runs one statement; an array of parameters, even an empty one, makes it an sp_executesql. */
function run(connection, sql, parameters) {
  return new Promise((resolve, reject) => {
    const request = new Request(sql, (error, rowCount, rows) => {
      if (error) reject(error);
      else resolve({ rowCount, rows: (rows ?? []).map((row) => row.map((cell) => cell.value)) });
    });
    parameters?.forEach(({ type, value, options }, at) => request.addParameter(`p${at}`, type, value, options));
    if (parameters) connection.execSql(request);
    else connection.execSqlBatch(request);
  });
}

function transaction(connection, method) {
  return new Promise((resolve, reject) => {
    connection[method]((error) => (error ? reject(error) : resolve()));
  });
}

async function suite(connection) {
  const table = "dbo.[client tedious]";
  const int = (value) => ({ type: TYPES.Int, value });
  await run(connection, `IF OBJECT_ID(N'${table}') IS NOT NULL DROP TABLE ${table}`);
  const definitions = columns.map(({ name, type }) => `[${name}] ${type} NULL`).join(", ");
  await run(
    connection,
    `CREATE TABLE ${table} (id int NOT NULL PRIMARY KEY, ${definitions}, c_rowversion rowversion)`,
  );

  // Row 0 is all NULL; the others go round each column's values.
  const rows = [columns.map(() => null)];
  for (let at = 0; at < Math.max(...columns.map(({ values }) => values.length)); at += 1) {
    rows.push(columns.map(({ values }) => values[at % values.length]));
  }
  const names = columns.map(({ name }) => `[${name}]`).join(", ");
  const marker = ({ family, type }, at) =>
    family === "datetimeoffset" ? `CAST(@p${at + 1} AS ${type})` : `@p${at + 1}`;
  const markers = columns.map(marker).join(", ");
  for (const [number, texts] of rows.entries()) {
    const parameters = columns.map((column, at) => toParameter(column, texts[at]));
    const { rowCount } = await run(
      connection,
      `INSERT INTO ${table} (id, ${names}) VALUES (@p0, ${markers})`,
      [int(number), ...parameters],
    );
    check("rows inserted", rowCount, 1);
  }

  for (const [number, texts] of rows.entries()) {
    const { rows: found } = await run(connection, `SELECT * FROM ${table} WHERE id = @p0`, [int(number)]);
    check(`rows with id ${number}`, found.length, 1);
    check("id", found[0][0], number);
    for (const [at, column] of columns.entries()) {
      const what = `row ${number}, ${column.name} ${column.type}`;
      check(what, toText(column, found[0][at + 1]), wanted(column, texts[at]));
      if (texts[at] !== null && (isExact(column) || hasTicks(column))) {
        const { rows: equal } = await run(
          connection,
          `SELECT COUNT(*) FROM ${table} WHERE id = @p0 AND [${column.name}] = CAST(@p1 AS ${column.type})`,
          [int(number), { type: TYPES.NVarChar, value: texts[at] }],
        );
        check(`${what} equal to ${texts[at]}`, equal, [[1]]);
      }
    }
    check("length of rowversion", found[0].at(-1).length, 8);
  }

  const text = columns.findIndex(({ name }) => name === "c_nvarchar");
  const { rows: byText } = await run(
    connection,
    `SELECT id FROM ${table} WHERE c_nvarchar = @p0 AND id > @p1 ORDER BY id`,
    [{ type: TYPES.NVarChar, value: rows[1][text] }, int(0)],
  );
  const ids = rows.flatMap((values, number) => (values[text] === rows[1][text] ? [[number]] : []));
  check("ids found by text", byText, ids);

  await transaction(connection, "beginTransaction");
  const { rowCount } = await run(connection, `DELETE FROM ${table} WHERE id > @p0`, [int(0)]);
  check("rows deleted", rowCount, rows.length - 1);
  await transaction(connection, "rollbackTransaction");
  const { rows: left } = await run(connection, `SELECT COUNT(*) FROM ${table}`, []);
  check("rows after rollback", left, [[rows.length]]);

  await run(connection, `DROP TABLE ${table}`);
}

// A server that leaves the driver waiting must fail the check, not hang it.
setTimeout(() => {
  console.error("error: tedious: no end after 120 s");
  process.exit(1);
}, 120_000).unref();

try {
  const connection = await connect();
  await suite(connection);
  connection.close();
  console.log(`ok tedious ${version}: ${checks} checks`);
} catch (error) {
  console.error(`error: tedious: ${error.message}`);
  process.exit(1);
}
