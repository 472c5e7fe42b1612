//! The numbers of the protocol, by the names that MS-TDS gives them; packets have theirs in `transport`.

/// What a part of an answer or of a bulk load is (MS-TDS 2.2.7).
pub(crate) mod token {
    /// RETURNSTATUS (2.2.7.18)
    pub(crate) const RETURN_STATUS: u8 = 0x79;
    /// COLMETADATA (2.2.7.4)
    pub(crate) const COLUMNS: u8 = 0x81;
    /// TABNAME (2.2.7.23)
    pub(crate) const TABLE_NAMES: u8 = 0xA4;
    /// COLINFO (2.2.7.3)
    pub(crate) const COLUMN_INFO: u8 = 0xA5;
    /// ORDER (2.2.7.17)
    pub(crate) const ORDER: u8 = 0xA9;
    /// ERROR (2.2.7.10)
    pub(crate) const ERROR: u8 = 0xAA;
    /// INFO (2.2.7.13)
    pub(crate) const INFO: u8 = 0xAB;
    /// LOGINACK (2.2.7.14)
    pub(crate) const LOGIN_ACKNOWLEDGED: u8 = 0xAD;
    /// ROW (2.2.7.20)
    pub(crate) const ROW: u8 = 0xD1;
    /// NBCROW (2.2.7.15)
    pub(crate) const ROW_WITH_NULLS: u8 = 0xD2;
    /// ENVCHANGE (2.2.7.9)
    pub(crate) const ENVIRONMENT_CHANGE: u8 = 0xE3;
    /// DONE (2.2.7.6)
    pub(crate) const DONE: u8 = 0xFD;
    /// DONEINPROC (2.2.7.7), the last of three that follow each other
    pub(crate) const DONE_IN_PROCEDURE: u8 = 0xFF;
}

/// The bits of a DONE's status (MS-TDS 2.2.7.6).
pub(crate) mod done {
    /// DONE_COUNT: the number of rows is one.
    pub(crate) const COUNT: u16 = 0x0010;
}

/// A whole DONE: final, without command and count.
pub(crate) const DONE: [u8; 13] = [token::DONE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// What an environment change is about (MS-TDS 2.2.7.9).
pub(crate) mod environment {
    /// Packet size
    pub(crate) const PACKET_SIZE: u8 = 4;
}

/// The types of columns: those of one size (MS-TDS 2.2.5.4.1), and those whose values have their lengths before them
/// (2.2.5.4.2).
pub(crate) mod data_type {
    /// INT1TYPE
    pub(crate) const TINYINT: u8 = 0x30;
    /// BITTYPE
    pub(crate) const BIT: u8 = 0x32;
    /// INT2TYPE
    pub(crate) const SMALLINT: u8 = 0x34;
    /// INT4TYPE
    pub(crate) const INT: u8 = 0x38;
    /// DATETIM4TYPE
    pub(crate) const SMALLDATETIME: u8 = 0x3A;
    /// FLT4TYPE
    pub(crate) const REAL: u8 = 0x3B;
    /// MONEYTYPE
    pub(crate) const MONEY: u8 = 0x3C;
    /// DATETIMETYPE
    pub(crate) const DATETIME: u8 = 0x3D;
    /// FLT8TYPE
    pub(crate) const FLOAT: u8 = 0x3E;
    /// MONEY4TYPE
    pub(crate) const SMALLMONEY: u8 = 0x7A;
    /// INT8TYPE
    pub(crate) const BIGINT: u8 = 0x7F;

    /// GUIDTYPE
    pub(crate) const UNIQUEIDENTIFIER: u8 = 0x24;
    /// INTNTYPE: an integer of 1, 2, 4 or 8 bytes
    pub(crate) const INTEGER: u8 = 0x26;
    /// DATENTYPE
    pub(crate) const DATE: u8 = 0x28;
    /// TIMENTYPE
    pub(crate) const TIME: u8 = 0x29;
    /// DATETIME2NTYPE
    pub(crate) const DATETIME2: u8 = 0x2A;
    /// DATETIMEOFFSETNTYPE
    pub(crate) const DATETIMEOFFSET: u8 = 0x2B;
    /// BITNTYPE
    pub(crate) const NULLABLE_BIT: u8 = 0x68;
    /// DECIMALNTYPE
    pub(crate) const DECIMAL: u8 = 0x6A;
    /// NUMERICNTYPE
    pub(crate) const NUMERIC: u8 = 0x6C;
    /// FLTNTYPE: a floating-point number of 4 or 8 bytes
    pub(crate) const FLOATING_POINT: u8 = 0x6D;
    /// MONEYNTYPE: 4 or 8 bytes
    pub(crate) const NULLABLE_MONEY: u8 = 0x6E;
    /// DATETIMNTYPE: `smalldatetime` in 4 bytes or `datetime` in 8
    pub(crate) const NULLABLE_DATETIME: u8 = 0x6F;
    /// BIGVARBINARYTYPE
    pub(crate) const VARBINARY: u8 = 0xA5;
    /// BIGVARCHARTYPE
    pub(crate) const VARCHAR: u8 = 0xA7;
    /// BIGBINARYTYPE
    pub(crate) const BINARY: u8 = 0xAD;
    /// BIGCHARTYPE
    pub(crate) const CHAR: u8 = 0xAF;
    /// NVARCHARTYPE
    pub(crate) const NVARCHAR: u8 = 0xE7;
    /// NCHARTYPE
    pub(crate) const NCHAR: u8 = 0xEF;
}

/// Stands for `(max)` where a type's length is declared, and the values come in chunks (MS-TDS 2.2.5.2.3).
pub(crate) const MAX_LENGTH: u16 = 0xFFFF;
/// Stands for NULL where a value's length is told by two bytes (MS-TDS 2.2.5.2.2, CHARBIN_NULL).
pub(crate) const NULL_LENGTH: u16 = 0xFFFF;
/// Stands for NULL where a value comes in chunks (MS-TDS 2.2.5.2.3, PLP_NULL).
pub(crate) const NULL_CHUNKS: u64 = u64::MAX;
