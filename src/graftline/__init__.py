"""graftline: trials of CAR-T followed by allogeneic HSCT, from records to results."""

__version__ = "0.1.0"
