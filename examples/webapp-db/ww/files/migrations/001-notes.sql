-- Run once for each database by ww/files/migrate. One that was cut short runs again.
CREATE TABLE IF NOT EXISTS notes (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    text VARCHAR(200) NOT NULL
) ENGINE = InnoDB;
