"""Evidence as SVG drawings that take their colours and fonts from the page around them."""
