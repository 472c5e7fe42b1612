//! A table of customers, the same on both sides.

use crate::Bed;

/// `dbo.Customers` in the source with this many rows, and empty in the target.
pub fn bed(rows: u32) -> Bed {
    fill(Bed::new(), rows)
}

/// The same on a development server, for cases that inject faults.
pub fn bed_on_development_server(rows: u32) -> Bed {
    fill(Bed::on_development_server(), rows)
}

/// The same on a development server, for cases that damage what the program sends.
pub fn bed_for_damage(rows: u32) -> Bed {
    fill(Bed::for_damage(), rows)
}

fn fill(bed: Bed, rows: u32) -> Bed {
    let table = "CREATE TABLE dbo.Customers (
        CustomerID int NOT NULL PRIMARY KEY,
        Name nvarchar(100) NOT NULL,
        Email nvarchar(200) NULL,
        Balance money NOT NULL,
        ModifiedDate datetime2(7) NOT NULL)";
    bed.source().execute(table);
    bed.target().execute(table);
    if rows > 0 {
        add(&bed, 1, rows, "2026-01-01");
    }
    bed
}

/// Adds customers `first` to `last`, modified one second apart from midnight of a day on.
pub fn add(bed: &Bed, first: u32, last: u32, day: &str) {
    bed.source().execute(&format!(
        "INSERT INTO dbo.Customers
         SELECT value, CONCAT(N'Customer ', value),
                CASE WHEN value % 7 = 0 THEN NULL ELSE CONCAT('c', value, '@example.com') END,
                CAST(value AS money) / 4, DATEADD(second, value, '{day}')
         FROM GENERATE_SERIES({first}, {last})"
    ));
}

/// Changes customers up to `last`, modified on a day.
pub fn change(bed: &Bed, last: u32, day: &str) {
    bed.source().execute(&format!(
        "UPDATE dbo.Customers
         SET Name = CONCAT(LEFT(Name, 80), N' changed'), ModifiedDate = DATEADD(second, CustomerID, '{day}')
         WHERE CustomerID <= {last}"
    ));
}
