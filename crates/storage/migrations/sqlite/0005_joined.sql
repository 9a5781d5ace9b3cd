-- Since when a series is there for those who read as of an instant: its past came at once, with the times of its closes.
-- Null: as long as its bars.
ALTER TABLE series ADD COLUMN joined_at INTEGER;
