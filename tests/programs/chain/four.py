import sys

sys.modules["__main__"].stand()
