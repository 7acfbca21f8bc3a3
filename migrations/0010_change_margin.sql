-- An order that only changes the margin of a position trades nothing.
ALTER TABLE orders DROP CONSTRAINT orders_size_base_check;
ALTER TABLE orders ADD CONSTRAINT orders_size_base_check CHECK (size_base >= 0) NOT VALID;
