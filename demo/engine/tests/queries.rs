//! SELECT: joins, grouping, windows, set operations, subqueries.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use kit::Kit;

fn orders() -> Kit {
    let mut kit = Kit::new();
    kit.run(
        "CREATE TABLE Customers (Id int NOT NULL PRIMARY KEY, Name nvarchar(50) NOT NULL, City varchar(20) NULL);
         CREATE TABLE Orders (Id int IDENTITY(1,1) PRIMARY KEY, CustomerId int NULL, Amount decimal(10,2) NOT NULL, Placed date);
         INSERT INTO Customers VALUES (1, N'Ann', 'Oslo'), (2, N'Bob', NULL), (3, N'Cid', 'Rome');
         INSERT INTO Orders (CustomerId, Amount, Placed) VALUES (1, 10.50, '2024-01-01'), (1, 20, '2024-02-01'), (3, 5.25, '2024-01-15'), (NULL, 1, NULL);",
    );
    kit
}

#[test]
fn projection_filter_and_order() {
    let mut kit = orders();
    assert_eq!(
        kit.rows("SELECT Name, Id FROM Customers WHERE Id > 1 ORDER BY Id DESC"),
        ["Cid|3", "Bob|2"]
    );
    assert_eq!(
        kit.rows("SELECT TOP (2) Id FROM dbo.Customers ORDER BY Name DESC"),
        ["3", "2"]
    );
    assert_eq!(
        kit.rows("select X = id * 2 from customers where name = 'ANN '"),
        ["2"]
    );
    assert_eq!(
        kit.rows("SELECT Id FROM Customers ORDER BY Id OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY"),
        ["2"]
    );
    assert_eq!(
        kit.rows("SELECT DISTINCT CustomerId FROM Orders ORDER BY CustomerId"),
        ["NULL", "1", "3"]
    );
}

#[test]
fn joins_of_every_kind() {
    let mut kit = orders();
    assert_eq!(
        kit.rows("SELECT c.Name, o.Amount FROM Customers c JOIN Orders o ON o.CustomerId = c.Id ORDER BY o.Id"),
        ["Ann|10.50", "Ann|20.00", "Cid|5.25"]
    );
    assert_eq!(
        kit.rows("SELECT c.Name, o.Id FROM Customers c LEFT JOIN Orders o ON o.CustomerId = c.Id AND o.Amount > 6 ORDER BY c.Id, o.Id"),
        ["Ann|1", "Ann|2", "Bob|NULL", "Cid|NULL"]
    );
    assert_eq!(
        kit.rows("SELECT c.Name, o.Id FROM Customers c RIGHT OUTER JOIN Orders o ON o.CustomerId = c.Id ORDER BY o.Id"),
        ["Ann|1", "Ann|2", "Cid|3", "NULL|4"]
    );
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM Customers c FULL JOIN Orders o ON o.CustomerId = c.Id"),
        "5"
    );
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM Customers CROSS JOIN Orders"),
        "12"
    );
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM Customers c, Orders o WHERE c.Id = o.CustomerId"),
        "3"
    );
    assert_eq!(
        kit.rows("SELECT c.Id, t.A FROM Customers c OUTER APPLY (SELECT MAX(o.Amount) AS A FROM Orders o WHERE o.CustomerId = c.Id HAVING COUNT(*) > 0) t ORDER BY c.Id"),
        ["1|20.00", "2|NULL", "3|5.25"]
    );
}

#[test]
fn grouping_and_aggregates() {
    let mut kit = orders();
    assert_eq!(
        kit.rows("SELECT CustomerId, COUNT(*), SUM(Amount), AVG(Amount) FROM Orders GROUP BY CustomerId HAVING SUM(Amount) > 2 ORDER BY 1"),
        ["1|2|30.50|15.250000", "3|1|5.25|5.250000"]
    );
    assert_eq!(kit.value("SELECT COUNT(CustomerId) FROM Orders"), "3");
    assert_eq!(
        kit.value("SELECT COUNT(DISTINCT CustomerId) FROM Orders"),
        "2"
    );
    assert_eq!(
        kit.value("SELECT MAX(Placed) FROM Orders WHERE 1 = 0"),
        "NULL"
    );
    assert_eq!(
        kit.value("SELECT STRING_AGG(Name, ', ') WITHIN GROUP (ORDER BY Name DESC) FROM Customers"),
        "Cid, Bob, Ann"
    );
    assert_eq!(kit.rows("SELECT YEAR(Placed) * 100 + MONTH(Placed) AS m, COUNT(*) FROM Orders GROUP BY YEAR(Placed) * 100 + MONTH(Placed) ORDER BY m"), ["NULL|1", "202401|2", "202402|1"]);
    assert_eq!(kit.error("SELECT Name, COUNT(*) FROM Customers"), 8120);
}

#[test]
fn window_functions() {
    let mut kit = orders();
    assert_eq!(
        kit.rows("SELECT Id, ROW_NUMBER() OVER (PARTITION BY CustomerId ORDER BY Id DESC), SUM(Amount) OVER (ORDER BY Id) FROM Orders ORDER BY Id"),
        ["1|2|10.50", "2|1|30.50", "3|1|35.75", "4|1|36.75"]
    );
    assert_eq!(
        kit.rows("WITH r AS (SELECT CustomerId, Id, ROW_NUMBER() OVER (PARTITION BY CustomerId ORDER BY Id DESC) AS n FROM Orders) SELECT Id FROM r WHERE n = 1 ORDER BY Id"),
        ["2", "3", "4"]
    );
    assert_eq!(
        kit.rows("SELECT COUNT(*) OVER () FROM Customers"),
        ["3", "3", "3"]
    );
}

#[test]
fn subqueries() {
    let mut kit = orders();
    assert_eq!(
        kit.rows(
            "SELECT Name FROM Customers WHERE Id IN (SELECT CustomerId FROM Orders) ORDER BY Id"
        ),
        ["Ann", "Cid"]
    );
    assert!(
        kit.rows("SELECT Name FROM Customers WHERE Id NOT IN (SELECT CustomerId FROM Orders)")
            .is_empty()
    );
    assert_eq!(kit.rows("SELECT Name FROM Customers c WHERE NOT EXISTS (SELECT * FROM Orders o WHERE o.CustomerId = c.Id)"), ["Bob"]);
    assert_eq!(
        kit.rows("SELECT Id, (SELECT COUNT(*) FROM Orders o WHERE o.CustomerId = c.Id) FROM Customers c ORDER BY Id"),
        ["1|2", "2|0", "3|1"]
    );
    assert_eq!(kit.error("SELECT (SELECT Id FROM Customers)"), 512);
    assert_eq!(
        kit.rows("SELECT Id FROM Customers WHERE Id >= ALL (SELECT Id FROM Customers)"),
        ["3"]
    );
}

#[test]
fn set_operations_and_values() {
    let mut kit = orders();
    assert_eq!(
        kit.rows("SELECT 1 AS a UNION SELECT 2 UNION SELECT 1 ORDER BY a DESC"),
        ["2", "1"]
    );
    assert_eq!(kit.rows("SELECT 1 UNION ALL SELECT 1"), ["1", "1"]);
    assert_eq!(
        kit.rows("SELECT Id FROM Customers EXCEPT SELECT CustomerId FROM Orders"),
        ["2"]
    );
    assert_eq!(
        kit.rows("SELECT Id FROM Customers INTERSECT SELECT CustomerId FROM Orders ORDER BY 1"),
        ["1", "3"]
    );
    assert_eq!(
        kit.rows("SELECT v.b FROM (VALUES (1, N'x'), (2, NULL)) AS v(a, b) WHERE v.a = 2"),
        ["NULL"]
    );
    assert_eq!(
        kit.value("SELECT SUM(value) FROM GENERATE_SERIES(1, 100)"),
        "5050"
    );
    assert_eq!(kit.rows("SELECT * FROM (SELECT 1 AS a, 2 AS b) t"), ["1|2"]);
}

#[test]
fn select_into_and_variables() {
    let mut kit = orders();
    kit.run("SELECT Id, Name INTO #copy FROM Customers WHERE Id < 3");
    assert_eq!(kit.value("SELECT COUNT(*) FROM #copy"), "2");
    assert_eq!(kit.value("DECLARE @n int, @s nvarchar(max) = N''; SELECT @n = COUNT(*) FROM Customers; SELECT @s = @s + Name FROM Customers; SELECT CONCAT(@n, @s)"), "3AnnBobCid");
    assert_eq!(kit.value("DECLARE @t TABLE (a int PRIMARY KEY, b int DEFAULT 7); INSERT @t (a) VALUES (1), (2); SELECT SUM(b) FROM @t"), "14");
}
